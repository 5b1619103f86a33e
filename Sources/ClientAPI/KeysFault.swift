internal import KeyStore

/// Why a request for `/v2/keys` was refused before it came to the store: index 0, and the status of
/// its code unless it has one of its own.
struct KeysFault: Error, Equatable {
    var code: ErrorCode
    var cause: String
    var status: Status?

    init(_ code: ErrorCode, _ cause: String) {
        self.code = code
        self.cause = cause
    }

    static func form(_ cause: String) -> KeysFault { KeysFault(.invalidForm, cause) }
    /// - Parameter size: nil: the client did not say, and was not let finish.
    static func formTooLarge(_ size: Int?, limit: Int) -> KeysFault {
        // Clients of etcd may know its text.
        if limit == RequestIntake.etcdFormBytesMax { return form("http: POST too large") }
        let size = size.map { "\($0)" } ?? "more than \(limit)"
        var fault = form(
            "the form has \(size) bytes; this member takes \(limit) (--max-request-bytes)")
        fault.status = .bodyTooLarge
        return fault
    }

    static func keyTooLong(_ size: Int, limit: Int) -> KeysFault {
        KeysFault(
            .invalidField, "the key has \(size) bytes; this member takes \(limit) (--max-key-bytes)"
        )
    }

    static func keyTooDeep(limit: Int) -> KeysFault {
        KeysFault(
            .invalidField, "the key has more than \(limit) elements, the most this member takes")
    }

    static func tooManyWatchers(limit: Int) -> KeysFault {
        var fault = KeysFault(
            .raftInternal,
            "\(limit) watchers are there already, the most this member takes (--max-watchers); "
                + "watch on another member")
        fault.status = .serviceUnavailable
        return fault
    }

    static let semicolon = form("invalid semicolon separator in query")

    /// - Parameter escape: the broken escape and what follows; only three bytes of it are shown.
    static func brokenEscape(_ escape: UnsafeRawBufferPointer) -> KeysFault {
        form("invalid URL escape \(quoted(escape.prefix(3)))")
    }

    static func invalidValue(_ code: ErrorCode, of parameter: KeysParameter) -> KeysFault {
        KeysFault(code, "invalid value for \"\(parameter.name)\"")
    }

    /// In double quotes, with everything but printable ASCII as a backslash escape.
    private static func quoted(_ bytes: Slice<UnsafeRawBufferPointer>) -> String {
        var text = "\""
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\""): text += "\\\""
            case UInt8(ascii: "\\"): text += "\\\\"
            case 0x20..<0x7F: text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                text += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return text + "\""
    }
}

extension ErrorCode {
    /// The status of an answer with this error. Source: `reference/client-api.md` §7.
    var status: Status {
        switch self {
        case .keyNotFound: .notFound
        case .notFile, .directoryNotEmpty: .forbidden
        case .compareFailed, .nodeExists: .preconditionFailed
        case .unauthorized: .unauthorized
        case .raftInternal, .leaderElection: .internalServerError
        default: .badRequest
        }
    }
}
