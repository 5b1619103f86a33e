import KeyStore
import NIOHTTP1
import Testing

@testable import ClientAPI

/// No input traps, and what was decoded is what was encoded.
@Suite struct FuzzTests {
    private static let alphabet = Array("/v2keys.%+&;=aF09?#\\\"".utf8) + [0, 0x80, 0xFF, 0x0A]

    private func text(_ random: inout SeededGenerator, count: Int) -> [UInt8] {
        (0..<Int.random(in: 0...count, using: &random)).map { _ in
            Self.alphabet[Int.random(in: 0..<Self.alphabet.count, using: &random)]
        }
    }

    @Test func targetsNeverTrap() {
        var random = SeededGenerator(seed: 3)
        var scratch = ByteWriter(capacity: 1)
        for round in 0..<50_000 {
            var line = Bool.random(using: &random) ? Array("/v2/keys/".utf8) : []
            line += text(&random, count: 24)
            line.withUnsafeBytes { line in
                switch RouteTable.resolve(line, .get, scratch: &scratch) {
                case .endpoint(_, let target):
                    // A clean path stays as it is.
                    #expect(PathCleaner.cleaned(target.path) == Array(target.path), "\(round)")
                case .redirection(let target):
                    let clean = PathCleaner.cleaned(target.path)
                    #expect(clean.withUnsafeBytes { PathCleaner.isClean($0) }, "\(clean)")
                    #expect(clean != Array(target.path), "\(clean)")
                case .badTarget, .notFound, .methodNotAllowed: break
                }
            }
        }
    }

    @Test func formsNeverTrap() {
        var random = SeededGenerator(seed: 5)
        var scratch = ByteWriter(capacity: 1)
        let names = KeysParameter.allCases.map { Array($0.name.withUTF8Buffer { Array($0) }) }
        var accepted = 0
        for _ in 0..<50_000 {
            var parts: [[UInt8]] = [[], []]
            for index in parts.indices {
                for _ in 0..<Int.random(in: 0...3, using: &random) {
                    parts[index] += names[Int.random(in: 0..<names.count, using: &random)]
                    parts[index] += [UInt8(ascii: "=")] + text(&random, count: 6)
                    parts[index] += [UInt8(ascii: "&")]
                }
            }
            parts[0].withUnsafeBytes { query in
                parts[1].withUnsafeBytes { body in
                    do throws(KeysFault) {
                        _ = try KeysRequest.parse(
                            .put, query: query, form: FormBody(bytes: body), scratch: &scratch)
                        accepted += 1
                    } catch {
                        #expect(!error.cause.isEmpty)
                    }
                }
            }
        }
        #expect(accepted > 1000)
    }

    @Test func formValuesSurvive() {
        var random = SeededGenerator(seed: 9)
        var scratch = ByteWriter(capacity: 1)
        for _ in 0..<5000 {
            let value = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            var form = Array("ttl=1&value=".utf8)
            for byte in value {
                let digits = String(byte, radix: 16, uppercase: Bool.random(using: &random))
                form +=
                    byte == UInt8(ascii: " ")
                    ? [UInt8(ascii: "+")]
                    : Array("%\(digits.count == 1 ? "0" : "")\(digits)".utf8)
            }
            form.withUnsafeBytes { form in
                let request = try? KeysRequest.parse(
                    .put, query: UnsafeRawBufferPointer(start: nil, count: 0),
                    form: FormBody(bytes: form), scratch: &scratch)
                #expect(request.map { Array($0.value) } == value)
                #expect(request?.timeToLive == 1)
            }
        }
    }

    @Test func mediaTypesNeverTrap() {
        var random = SeededGenerator(seed: 13)
        let alphabet = Array("a/;= \"\\\t,é")
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0...16, using: &random)).map { _ in
                alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
            }
            let type = MediaType(String(text))
            #expect(!type.isForm)
        }
    }
}
