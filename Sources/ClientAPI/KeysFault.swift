internal import KeyStore

/// Why a request for `/v2/keys` was refused before it came to the store: status 400, index 0.
struct KeysFault: Error, Equatable {
    var code: ErrorCode
    var cause: String

    init(_ code: ErrorCode, _ cause: String) {
        self.code = code
        self.cause = cause
    }

    static func form(_ cause: String) -> KeysFault { KeysFault(.invalidForm, cause) }
    static let formTooLarge = form("http: POST too large")
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
