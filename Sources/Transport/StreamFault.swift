import ProtoWire

/// What is wrong with the bytes of a stream; the connection that brought them is closed.
struct StreamFault: Error, Equatable, CustomStringConvertible {
    enum Code: Equatable, Sendable {
        case unknownFrame(UInt8)
        case tooLong(bytes: UInt64, limit: Int)
        case malformed(WireError)
    }

    let code: Code
    /// Where the faulty unit begins: bytes since the stream's begin.
    var offset: UInt64 = 0

    init(_ code: Code) { self.code = code }

    var description: String { "at byte \(offset) of the stream: \(problem)" }

    private var problem: String {
        switch code {
        case .unknownFrame(let byte):
            "a frame of type \(byte), which the protocol does not have"
        case .tooLong(let bytes, let limit):
            "a frame of \(bytes) bytes, more than the \(limit) that are taken"
        case .malformed(let error): "\(error)"
        }
    }
}
