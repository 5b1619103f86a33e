package import NIOCore
internal import NIOHTTP1

/// The client port's readers outside of a server: for those who hold them to what they promise
/// (`Fuzzing`). What they read becomes a text, so that two readings can be compared.
package enum RequestBytes {
    /// What came of the bytes.
    package enum Reading: Equatable, Sendable {
        case request(String)
        /// Nothing is read after it.
        case refused
    }

    /// Makes `channel` read requests as a connection does, with the limits of one.
    package static func addReaders(
        to channel: any Channel, _ took: @escaping (Reading) -> Void
    ) throws {
        let leftover = DecoderLeftover()
        let configuration = ClientServerConfiguration()
        try channel.pipeline.syncOperations.addHandlers([
            ByteToMessageHandler(RequestDecoder(configuration, leftover: leftover)),
            IntakeHandler(leftover, took),
        ])
    }

    /// The parameters of a request for keys; nil: they are refused.
    ///
    /// `isSettled`: what they say was written as a form and read again, with the same outcome.
    package static func keysParameters(
        _ method: UInt8, query: UnsafeRawBufferPointer, form: UnsafeRawBufferPointer
    ) -> (text: String, isSettled: Bool)? {
        let methods: [KeysMethod] = [.get, .head, .put, .post, .delete]
        let method = methods[Int(method) % methods.count]
        var scratch = ByteWriter(capacity: 1)
        guard
            let read = try? KeysRequest.parse(
                method, query: query, form: FormBody(bytes: form), scratch: &scratch)
        else { return nil }
        let text = read.text
        var again = ByteWriter(capacity: 1)
        let written = read.form
        let isSettled = written.withUnsafeBytes { written in
            let empty = UnsafeRawBufferPointer(start: nil, count: 0)
            let second = try? KeysRequest.parse(
                method, query: empty, form: FormBody(bytes: written), scratch: &again)
            return second?.text == text
        }
        return (text, isSettled)
    }

    /// What a target leads to. A clean path must stay as it is, and a cleaned one be clean.
    package static func route(_ line: UnsafeRawBufferPointer, method: UInt8) -> String {
        var scratch = ByteWriter(capacity: 1)
        switch RouteTable.resolve(line, MethodSet(rawValue: 1 << (method % 6)), scratch: &scratch) {
        case .endpoint(let endpoint, let target):
            precondition(PathCleaner.cleaned(target.path) == Array(target.path), "not clean")
            return "\(endpoint) \(Array(target.path)) \(Array(target.query))"
        case .redirection(let target):
            let clean = PathCleaner.cleaned(target.path)
            precondition(clean.withUnsafeBytes { PathCleaner.isClean($0) }, "not cleaned")
            precondition(clean != Array(target.path), "a redirection to itself")
            return "to \(PathCleaner.escaped(clean))"
        case .badTarget: return "bad"
        case .notFound: return "absent"
        case .methodNotAllowed(let route): return "not so at \(route.path)"
        }
    }

    /// Whether a `Content-Type` is that of a form, or what is wrong with it.
    package static func mediaType(_ text: String) -> String {
        let type = MediaType(text)
        return type.problem ?? "\(type.isForm)"
    }
}

/// Puts requests together, and tells of each.
private final class IntakeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart

    private let leftover: DecoderLeftover
    private let took: (RequestBytes.Reading) -> Void
    private var intake = RequestIntake.idle

    init(_ leftover: DecoderLeftover, _ took: @escaping (RequestBytes.Reading) -> Void) {
        (self.leftover, self.took) = (leftover, took)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        leftover.partsCount += 1
        tell(intake.received(unwrapInboundIn(data)))
    }

    func channelReadComplete(context: ChannelHandlerContext) { _ = leftover.takeHadBytes() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else { return }
        let fault = leftover.fault(
            for: error, isIdle: intake.isIdle, partsInRead: 0, origins: CrossOrigins([]))
        tell(intake.failed(fault))
    }

    private func tell(_ action: RequestIntake.Action) {
        switch action {
        case .wait, .expectContinue: break
        case .submit(let request): took(.request(request.text))
        case .refuse: took(.refused)
        }
    }
}

extension ClientRequest {
    /// All of it, and where it leads.
    fileprivate var text: String {
        let body = body.map { Array($0.readableBytesView) }
        var target = head.uri
        let route = target.withUTF8 { line in
            RequestBytes.route(UnsafeRawBufferPointer(line), method: 0)
        }
        return "\(head) \(body ?? []) \(isBodyTooLarge) \(facts) \(framing.keepsAlive) \(route)"
    }
}

extension KeysRequest {
    fileprivate var text: String {
        """
        \(method) \(Array(value)) \(Array(previousValue)) \(previousIndex) \
        \(String(describing: previousExists)) \(String(describing: timeToLive)) \
        \(String(describing: refresh)) \(isDirectory) \(isRecursive) \(isSorted) \(wait) \(stream) \
        \(quorum) \(waitIndex) \(omitsNode) \(minIndex) \(page.limit) \(Array(page.after)) \
        \(page.version) \(page.keysOnly) \(page.isCount)
        """
    }

    /// A form that says the same.
    fileprivate var form: [UInt8] {
        var pairs: [(KeysParameter, [UInt8])] = [
            (.value, Array(value)), (.prevIndex, Array("\(previousIndex)".utf8)),
            (.dir, Self.word(isDirectory)), (.recursive, Self.word(isRecursive)),
            (.sorted, Self.word(isSorted)), (.stream, Self.word(stream)),
            (.quorum, Self.word(quorum)), (.waitIndex, Array("\(waitIndex)".utf8)),
            (.noValueOnSuccess, Self.word(omitsNode)),
        ]
        if !previousValue.isEmpty { pairs.append((.prevValue, Array(previousValue))) }
        if let previousExists { pairs.append((.prevExist, Self.word(previousExists))) }
        if let timeToLive { pairs.append((.ttl, Array("\(timeToLive)".utf8))) }
        if let refresh { pairs.append((.refresh, Self.word(refresh))) }
        if wait { pairs.append((.wait, Self.word(wait))) }
        if method.isRead { pairs += ownPairs }
        var form: [UInt8] = []
        for (parameter, value) in pairs {
            if !form.isEmpty { form.append(UInt8(ascii: "&")) }
            parameter.name.withUTF8Buffer { form += $0 }
            form.append(UInt8(ascii: "="))
            for byte in value {
                form += "%\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8
            }
        }
        return form
    }

    private var ownPairs: [(KeysParameter, [UInt8])] {
        var pairs: [(KeysParameter, [UInt8])] = [(.minIndex, Array("\(minIndex)".utf8))]
        // With a watch none of them may be there.
        if page.limit != .max { pairs.append((.limit, Array("\(page.limit)".utf8))) }
        if !page.after.isEmpty { pairs.append((.after, Array(page.after))) }
        if page.version != 0 { pairs.append((.version, Array("\(page.version)".utf8))) }
        if page.keysOnly { pairs.append((.keysOnly, Self.word(true))) }
        if page.isCount { pairs.append((.count, Self.word(true))) }
        return pairs
    }

    private static func word(_ flag: Bool) -> [UInt8] { Array("\(flag)".utf8) }
}
