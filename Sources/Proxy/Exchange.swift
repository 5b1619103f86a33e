internal import Cluster
internal import NIOCore

/// What becomes of one request: whom it is sent to, and whether it may be sent again.
///
///     start ─▶ connecting ──connected──▶ sent ──answered──▶ answering ─▶ over
///                 │  ▲                    │                    │
///          failed │  └── the next one ◀───┤ lost, and only read│ lost
///                 ▼                       ▼ lost, and a write  ▼
///              refused                 refused (502)          cut
///
/// A write of which anything may have reached a member is never sent again: it may have been carried
/// out. A read is sent to the next one, with its body if that is short enough to have been kept.
///
/// Of the body of a request that nobody has been connected for, at most about `keptBytesMax` is held;
/// then the client is not read from. No channel in here.
struct Exchange {
    enum Action: Equatable {
        /// - mayReuse: an idle connection will do.
        case connect(EndpointURL, mayReuse: Bool)
        case refuse(Refusal)
        /// A part of the answer is with the client: what is left is to end its connection.
        case cut
    }

    /// What to do, and whether the endpoint that was in use is to rest.
    struct Step: Equatable {
        var action: Action
        var failed: Refusal.Try?
    }

    private enum Phase {
        case idle
        case connecting(EndpointURL)
        case sent(EndpointURL, isReused: Bool)
        case answering
        case over
    }

    let method: String
    /// GET and HEAD: reading twice is reading.
    let isRepeatable: Bool
    private let keptBytesMax: Int
    private var phase = Phase.idle
    private var untried: ArraySlice<EndpointURL> = []
    private var tries: [Refusal.Try] = []

    private var kept: [ByteBuffer] = []
    private(set) var keptBytes = 0
    /// `kept` is all of the body so far.
    private var isKeptWhole = true
    /// The whole request has come.
    private(set) var hasEnded = false

    init(method: String, keptBytesMax: Int) {
        self.method = method
        isRepeatable = method == "GET" || method == "HEAD"
        self.keptBytesMax = keptBytesMax
    }

    /// - Parameter otherwise: what to say if there is nobody.
    mutating func start(_ candidates: [EndpointURL], otherwise: Refusal) -> Step {
        guard case .idle = phase else { preconditionFailure("a request is sent once") }
        guard !candidates.isEmpty else { return refuse(otherwise) }
        untried = candidates[...]
        return next()
    }

    /// More of the body may be taken from the client, as far as this request is concerned.
    var wantsInput: Bool {
        switch phase {
        case .idle, .connecting: keptBytes < keptBytesMax
        case .sent, .answering, .over: true
        }
    }

    /// The endpoint that has the request.
    var endpoint: EndpointURL? {
        switch phase {
        case .connecting(let url), .sent(let url, _): url
        case .idle, .answering, .over: nil
        }
    }

    var isAnswering: Bool {
        if case .answering = phase { return true }
        return false
    }

    // MARK: - The client

    /// Returns whether the bytes go on to the member now.
    mutating func received(_ bytes: ByteBuffer) -> Bool {
        switch phase {
        case .idle, .connecting:
            keep(bytes)
            return false
        case .sent:
            if isRepeatable, isKeptWhole, keptBytes + bytes.readableBytes <= keptBytesMax {
                keep(bytes)
            } else {
                dropKept()
            }
            return true
        case .answering: return true
        case .over: return false
        }
    }

    /// Returns whether the end goes on to the member now.
    mutating func ended() -> Bool {
        hasEnded = true
        switch phase {
        case .sent, .answering: return true
        case .idle, .connecting, .over: return false
        }
    }

    private mutating func keep(_ bytes: ByteBuffer) {
        kept.append(bytes)
        keptBytes += bytes.readableBytes
    }

    private mutating func dropKept() {
        (kept, keptBytes, isKeptWhole) = ([], 0, false)
    }

    // MARK: - The member

    /// There is a connection, and the head is sent. Returns what is to follow of the body.
    mutating func connected(isReused: Bool) -> [ByteBuffer] {
        guard case .connecting(let url) = phase else {
            preconditionFailure("no connection was asked for")
        }
        phase = .sent(url, isReused: isReused)
        defer { if !isRepeatable || keptBytes > keptBytesMax { dropKept() } }
        return kept
    }

    mutating func connectFailed(_ problem: String) -> Step {
        guard case .connecting(let url) = phase else {
            preconditionFailure("no connection was asked for")
        }
        return failed(Refusal.Try(url: url, problem: problem))
    }

    /// Nothing has been sent, and it is not the endpoint's fault.
    mutating func refuse(_ refusal: Refusal) -> Step {
        phase = .over
        dropKept()
        return Step(action: .refuse(refusal))
    }

    /// The head of the answer has come.
    mutating func answered() {
        guard case .sent = phase else { preconditionFailure("an answer follows a request") }
        phase = .answering
        dropKept()
    }

    /// The member has not carried it out, and will not. Returns nil if its answer is all that can be
    /// given: nobody else is left, or the request is not here any more to be sent again.
    mutating func declined(_ problem: String) -> Step? {
        guard case .sent(let url, _) = phase, isRepeatable, isKeptWhole, !untried.isEmpty else {
            return nil
        }
        return failed(Refusal.Try(url: url, problem: problem))
    }

    /// The connection has ended, or is given up, before the answer did.
    mutating func lost(_ problem: String) -> Step {
        switch phase {
        case .answering:
            phase = .over
            return Step(action: .cut)
        case .sent(let url, let isReused):
            let attempt = Refusal.Try(url: url, problem: problem)
            guard isRepeatable, isKeptWhole else {
                var step = refuse(.unanswered(method: method, attempt))
                // An idle connection may have been closed while the request was on its way.
                if !isReused { step.failed = attempt }
                return step
            }
            guard isReused else { return failed(attempt) }
            phase = .connecting(url)
            return Step(action: .connect(url, mayReuse: false))
        case .idle, .connecting, .over:
            preconditionFailure("there was a connection")
        }
    }

    mutating func finish() { phase = .over }

    private mutating func failed(_ attempt: Refusal.Try) -> Step {
        tries.append(attempt)
        var step = next()
        step.failed = attempt
        return step
    }

    private mutating func next() -> Step {
        guard let url = untried.popFirst() else { return refuse(.allFailed(tries)) }
        phase = .connecting(url)
        return Step(action: .connect(url, mayReuse: true))
    }
}
