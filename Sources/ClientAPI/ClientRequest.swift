internal import NIOCore
package import NIOHTTP1

/// A request as it came off a connection, whole.
struct ClientRequest {
    var head: HTTPRequestHead
    /// Nil: there was none, or it was dropped for its size.
    var body: ByteBuffer?
    var facts: HeadFacts
    /// The body was longer than one of its kind may be.
    var isBodyTooLarge = false
    /// Set by the connection, as only its server knows who is allowed.
    var grant = CrossOrigins.Grant.none
    /// It has been handled before, and had to wait.
    var isResumed = false
    /// What was found out meanwhile.
    var checked: CheckedCredentials?

    /// Whether it changes the store, if it is a keys request: such requests of one connection may
    /// be under way at the same time.
    var isWrite: Bool {
        switch head.method {
        case .PUT, .POST, .DELETE: true
        default: false
        }
    }

    var framing: AnswerFraming {
        AnswerFraming(
            isHead: head.method == .HEAD, isHTTP10: head.version.minor == 0,
            keepsAlive: head.isKeepAlive && !facts.isUpgrade, grant: grant)
    }
}

/// Why something that came off a connection is no request. The connection ends with its answer.
package enum RequestFault: Equatable {
    /// Not HTTP/1.x, or HTTP that is better not guessed at.
    case malformed
    case missingHost
    case tooManyHosts
    case headersTooLarge
    /// An `Expect` other than `100-continue`.
    case unknownExpectation
    /// It has taken too long to come.
    case tooSlow
    /// The request line was fine but for a method that the decoder does not know.
    case unknownMethod(target: String, isHTTP10: Bool, grant: CrossOrigins.Grant)
}

/// What the headers of a request say, found in one pass over them.
package struct HeadFacts: Equatable {
    var mediaType = MediaType.absent
    package private(set) var expectsContinue = false
    var expectsUnknown = false
    /// The client offers another protocol. The decoder reads nothing after such a request, so the
    /// connection cannot be used on.
    package private(set) var isUpgrade = false
    var hostsCount = 0
    /// `Content-Length`
    var bodyBytesCount: Int?

    init() {}

    package init(_ headers: HTTPHeaders) {
        for (name, value) in headers {
            switch name.utf8.count {
            case 4 where name.isCaseInsensitively("host"): hostsCount += 1
            case 6 where name.isCaseInsensitively("expect"): addExpectation(value)
            case 7 where name.isCaseInsensitively("upgrade"): isUpgrade = true
            case 12 where name.isCaseInsensitively("content-type"):
                mediaType = MediaType(value)
            case 14 where name.isCaseInsensitively("content-length"):
                bodyBytesCount = Int(value)
            default: break
            }
        }
    }

    private mutating func addExpectation(_ value: String) {
        if value.isCaseInsensitively("100-continue") {
            expectsContinue = true
        } else if !value.isEmpty {
            expectsUnknown = true
        }
    }

    package func fault(version: HTTPVersion) -> RequestFault? {
        if version.minor >= 1, hostsCount == 0 { return .missingHost }
        if hostsCount > 1 { return .tooManyHosts }
        return expectsUnknown ? .unknownExpectation : nil
    }
}

extension String {
    /// - Parameter text: lower-case ASCII.
    fileprivate func isCaseInsensitively(_ text: StaticString) -> Bool {
        guard utf8.count == text.utf8CodeUnitCount else { return false }
        var position = 0
        for byte in utf8 {
            let isUpper = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")
            if (isUpper ? byte | 0x20 : byte) != text.utf8Start[position] { return false }
            position += 1
        }
        return true
    }
}
