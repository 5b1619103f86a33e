internal import NIOCore

/// The output side of a connection: which of its requests may start, and whose answer is next.
///
/// Answers leave in the order of the requests. Writes that follow each other directly are under
/// way together: they are in the log in the order in which they came. Everything else starts only
/// when all before it has been answered, so that a read sees the writes sent before it, and a
/// write is not seen by a read sent before it.
///
///     started:  | PUT answered, held | PUT under way |      front is the next to be answered
///     waiting:  | GET | PUT |                               may not start yet
///
/// No channel in here. The owner calls `next()` until it says `.wait`, after everything it tells.
struct RequestOrder {
    /// What stands in line.
    enum Arrival {
        case request(ClientRequest)
        case fault(RequestFault)
    }

    enum Action {
        case wait
        /// Deal with it, and answer it under this number, now or later.
        case start(Arrival, number: UInt32)
        case sendContinue
        /// All that was to be answered has been. Lingering: unread input may be under way.
        case close(lingers: Bool)
    }

    /// Where an answer goes.
    enum Placement: Equatable {
        /// Out, at once. Call `sent()` afterwards.
        case now(AnswerFraming)
        /// Into memory; hand it to `hold(_:of:)`.
        case later(AnswerFraming)
        /// Nobody waits for it any more.
        case gone
    }

    private struct Slot {
        let framing: AnswerFraming
        let isWrite: Bool
        var start = RequestMeter.Start()
        var held: ByteBuffer?
    }

    private enum Phase {
        case open
        /// Nothing starts any more; the connection closes when the last answer is out.
        case ending(lingers: Bool)
        case closed
    }

    private var started = CircularBuffer<Slot>(initialCapacity: 4)
    private var waiting = CircularBuffer<Arrival>(initialCapacity: 4)
    /// The number of the first in `started`.
    private(set) var firstNumber: UInt32
    private var phase = Phase.open
    private var isContinueOwed = false
    /// The client will send nothing more.
    private var hasInputEnded = false
    private let inFlightMax: Int
    /// The request started last has not got its place in the log yet: none may overtake it.
    private var isHeld = false

    /// - Parameters:
    ///   - firstNumber: requests are numbered from here, wrapping.
    ///   - inFlightMax: requests taken in before input should pause.
    init(firstNumber: UInt32, inFlightMax: Int) {
        precondition(inFlightMax > 0, "a connection may have a request")
        self.firstNumber = firstNumber
        self.inFlightMax = inFlightMax
    }

    /// Whether more should be read from the client.
    var wantsInput: Bool {
        guard case .open = phase else { return isLingering }
        return started.count + waiting.count < inFlightMax
    }

    private var isLingering: Bool {
        switch phase {
        case .open: false
        case .ending(let lingers): lingers
        case .closed: true
        }
    }

    /// Whether something stands in line that has not been started.
    var hasWaiting: Bool { !waiting.isEmpty }

    /// Requests that have not been answered.
    var inFlightCount: Int { started.count + waiting.count }

    /// The number that the next request to start gets.
    var nextNumber: UInt32 { firstNumber &+ UInt32(truncatingIfNeeded: started.count) }

    // MARK: - What happens

    mutating func submit(_ arrival: Arrival) {
        isContinueOwed = false
        guard case .open = phase else { return }
        waiting.append(arrival)
    }

    /// The last one started waits for something else than the log.
    mutating func hold() { isHeld = true }

    /// It goes on, or has been answered.
    mutating func release() { isHeld = false }

    mutating func expectContinue() { isContinueOwed = true }

    /// The client has closed its sending side.
    mutating func inputEnded() { hasInputEnded = true }

    /// Lets what has started be answered, drops the rest, and closes.
    mutating func end() {
        guard case .open = phase else { return }
        phase = .ending(lingers: false)
        waiting.removeAll()
    }

    mutating func next() -> Action {
        switch phase {
        case .closed: return .wait
        case .ending(let lingers):
            guard started.isEmpty else { return .wait }
            phase = .closed
            return .close(lingers: lingers)
        case .open: break
        }
        if let arrival = waiting.first {
            return canStart(arrival) ? start() : .wait
        }
        guard started.isEmpty else { return .wait }
        if hasInputEnded {
            phase = .closed
            return .close(lingers: false)
        }
        guard isContinueOwed else { return .wait }
        isContinueOwed = false
        return .sendContinue
    }

    private func canStart(_ arrival: Arrival) -> Bool {
        guard case .request(let request) = arrival else { return started.isEmpty }
        return canStart(isWrite: request.isWrite)
    }

    private func canStart(isWrite: Bool) -> Bool {
        guard !isHeld else { return false }
        guard let last = started.last else { return true }
        return isWrite && last.isWrite && started.count < inFlightMax
    }

    /// Starts a request that nothing is in the way of, as `submit` and `next` would; nil if
    /// something is: `submit` it then.
    mutating func startAtOnce(_ request: ClientRequest) -> UInt32? {
        guard case .open = phase, waiting.isEmpty else { return nil }
        let isWrite = request.isWrite
        guard canStart(isWrite: isWrite) else { return nil }
        isContinueOwed = false
        return append(request, isWrite: isWrite)
    }

    private mutating func append(_ request: ClientRequest, isWrite: Bool) -> UInt32 {
        let number = nextNumber
        let framing = request.framing
        started.append(Slot(framing: framing, isWrite: isWrite))
        if !framing.keepsAlive { end() }
        return number
    }

    private mutating func start() -> Action {
        let arrival = waiting.removeFirst()
        let number: UInt32
        switch arrival {
        case .request(let request):
            number = append(request, isWrite: request.isWrite)
        case .fault(let fault):
            number = nextNumber
            var framing = AnswerFraming(keepsAlive: false)
            if case .unknownMethod(_, let isHTTP10, let grant) = fault {
                (framing.isHTTP10, framing.grant) = (isHTTP10, grant)
            }
            started.append(Slot(framing: framing, isWrite: false))
            waiting.removeAll()
            phase = .ending(lingers: true)
        }
        return .start(arrival, number: number)
    }

    // MARK: - Answers

    /// Notes what a request that has just started is and when that was.
    mutating func note(_ start: RequestMeter.Start, of number: UInt32) {
        let position = Int(number &- firstNumber)
        guard position < started.count else { return }
        started[offset: position].start = start
    }

    /// What was noted of a request that waits for its answer.
    func start(of number: UInt32) -> RequestMeter.Start {
        let position = Int(number &- firstNumber)
        return position < started.count ? started[offset: position].start : RequestMeter.Start()
    }

    func placement(of number: UInt32) -> Placement {
        let position = Int(number &- firstNumber)
        guard position < started.count else { return .gone }
        let slot = started[offset: position]
        guard slot.held == nil else { return .gone }
        return position == 0 ? .now(slot.framing) : .later(slot.framing)
    }

    /// The answer of the first one started is out.
    mutating func sent() {
        precondition(!started.isEmpty, "what is answered was started")
        started.removeFirst()
        firstNumber &+= 1
    }

    mutating func hold(_ bytes: ByteBuffer, of number: UInt32) {
        let position = Int(number &- firstNumber)
        precondition(position > 0 && position < started.count, "the first one is not held")
        started[offset: position].held = bytes
    }

    /// Takes the answer that is next, if it is there already.
    mutating func takeHeld() -> ByteBuffer? {
        guard let held = started.first?.held else { return nil }
        sent()
        return held
    }
}

extension CircularBuffer {
    fileprivate subscript(offset offset: Int) -> Element {
        get { self[index(startIndex, offsetBy: offset)] }
        set { self[index(startIndex, offsetBy: offset)] = newValue }
    }
}
