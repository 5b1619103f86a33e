import KeyStore
import NIOHTTP1
import RaftModel
import Testing

@testable import ClientAPI

/// Requests from `Fixtures/http`: where they go, and what they ask for.
@Suite struct RequestParsingTests {
    @Test func targets() throws {
        let cases = try Fixtures.cases("http/targets.txt")
        #expect(cases.count >= 80)
        for (input, outcome) in cases {
            let words = input.split(separator: " ", maxSplits: 1)
            #expect(resolution(of: String(words[1]), String(words[0])) == outcome, "\(input)")
        }
    }

    private func resolution(of target: String, _ method: String) -> String {
        var scratch = ByteWriter(capacity: 1)
        let method = MethodSet(HTTPMethod(rawValue: method))
        return Array(target.utf8).withUnsafeBytes { line in
            switch RouteTable.resolve(line, method, scratch: &scratch) {
            case .badTarget: return "400"
            case .notFound: return "404"
            case .methodNotAllowed(let route): return "405 \(route.allow)"
            case .endpoint(.auth(let page), let target):
                return "auth.\(page) \(String(decoding: target.path, as: UTF8.self))"
            case .endpoint(let endpoint, let target):
                return "\(endpoint) \(String(decoding: target.path, as: UTF8.self))"
            case .redirection(let target):
                var location = PathCleaner.escaped(PathCleaner.cleaned(target.path))
                if !target.query.isEmpty { location += [UInt8(ascii: "?")] + target.query }
                return "301 \(String(decoding: location, as: UTF8.self))"
            }
        }
    }

    @Test func keysParameters() throws {
        let cases = try Fixtures.cases("http/keys.txt")
        #expect(cases.count >= 80)
        for (input, outcome) in cases {
            #expect(try KeysCase(input).outcome() == outcome, "\(input)")
        }
    }

    /// Wraps as etcd's arithmetic does: `reference/client-api.md` §5.
    @Test(arguments: [
        (UInt64(0), Int64(1_700_000_000_000_000_000)),
        (5, 1_700_000_005_000_000_000),
        (3_153_600_000, 4_853_600_000_000_000_000),
        (9_223_372_036, -7_523_372_037_709_551_616),
        (.max, 1_699_999_999_000_000_000),
    ])
    func expiration(timeToLive: UInt64, expiration: Int64) {
        var request = KeysRequest(method: .put)
        request.timeToLive = timeToLive
        let path = UnsafeRawBufferPointer(start: nil, count: 0)
        let view = request.command(path: path, clusterTime: 1_700_000_000_000_000_000)
        #expect(view.expiration == expiration)
    }
}

/// `METHOD query [content-type] body`
private struct KeysCase {
    private var method: KeysMethod
    private var query: [UInt8]
    private var mediaType: MediaType
    private var body: [UInt8]

    init(_ text: String) throws {
        var words = text.split(separator: " ").map(String.init)
        method = try #require(KeysMethod(HTTPMethod(rawValue: words.removeFirst())))
        let query = words.removeFirst()
        self.query = query == "-" ? [] : Array(query.utf8)
        if words[0].hasPrefix("[") {
            mediaType = MediaType(String(words.removeFirst().dropFirst().dropLast()))
        } else {
            mediaType = MediaType(isForm: words[0] != "-")
        }
        body = words[0] == "-" ? [] : Array(words[0].utf8)
        #expect(words.count == 1)
    }

    func outcome() -> String {
        var scratch = ByteWriter(capacity: 1)
        return query.withUnsafeBytes { query in
            body.withUnsafeBytes { body in
                var form = FormBody()
                if method == .put || method == .post {
                    form.mediaTypeProblem = mediaType.problem
                    if mediaType.isForm { form.bytes = body }
                }
                do throws(KeysFault) {
                    return Self.describe(
                        try KeysRequest.parse(method, query: query, form: form, scratch: &scratch))
                } catch {
                    return "\(error.code.rawValue) \(error.cause)"
                }
            }
        }
    }

    private static func describe(_ request: KeysRequest) -> String {
        var words = ["\(request.operation)"]
        if request.operation == .write { words.append("\(request.method)") }
        if !request.value.isEmpty { words.append("value=\(quoted(request.value))") }
        if request.isDirectory { words.append("dir") }
        if let seconds = request.timeToLive { words.append("ttl=\(seconds)") }
        if !request.previousValue.isEmpty {
            words.append("prevValue=\(quoted(request.previousValue))")
        }
        if request.previousIndex != 0 { words.append("prevIndex=\(request.previousIndex)") }
        if let exists = request.previousExists { words.append("prevExist=\(exists)") }
        if let refresh = request.refresh { words.append("refresh=\(refresh)") }
        if request.isRecursive { words.append("recursive") }
        if request.stream { words.append("stream") }
        if request.waitIndex != 0 { words.append("since=\(request.waitIndex)") }
        return words.joined(separator: " ")
    }

    private static func quoted(_ bytes: UnsafeRawBufferPointer) -> String {
        let text = bytes.map { byte in
            (0x20..<0x7F).contains(byte)
                ? String(Unicode.Scalar(byte))
                : "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        return "\"\(text.joined())\""
    }
}
