import Cluster
import Histories
import KVServer
import KeyStore
import RaftModel
import State
import StorageIO

/// Clients: what they ask, what the members do with it, and what they are told.
extension World {
    // MARK: Asking

    func act(client i: Int) throws(Violation) {
        guard clients[i].current == nil else { return }
        guard !isMended || clients[i].mustWriteOnce else { return }
        // A client knows some members that are none yet, or none any more; in the end all are told.
        let up = hosts.filter {
            $0.isRunning && (!isMended || judge.oracle.membership[$0.id] != nil)
        }
        guard !up.isEmpty else { return later(client: i) }
        let host = clientRandom.pick(up)
        let key = clientRandom.below(keys.count)
        let isAside = clientRandom.chance(percent: weather.ttlPercent)
        if !isAside {
            try keys.retireIfFull(key, &coverage)
            if keys.isFull(key) { return later(client: i) }
        }
        var request = Client.Request(
            host: host.slot, key: key, input: .read, isPlain: false, place: nil,
            floor: judge.acknowledgedIndex)
        if isAside {
            request.input = .set(keys.newValue())
            request.seconds = clientRandom.between(1, 3)
        } else {
            if !clients[i].mustWriteOnce, clientRandom.chance(percent: weather.readPercent) {
                request.isPlain = clientRandom.chance(percent: 30)
            } else {
                request.input = drawWrite(key, mustSucceed: clients[i].mustWriteOnce)
            }
            if !request.isPlain {
                request.place = keys.call(key, request.input, client: i, at: step)
            }
        }
        clients[i].request += 1
        clients[i].current = request
        let number = clients[i].request
        add(.request(i, number), after: clientRandom.around(100_000))
        add(
            .timeout(i, number),
            after: Int64(weather.timeoutMilliseconds) * Simulation.millisecond)
    }

    private func drawWrite(_ key: Int, mustSucceed: Bool) -> KeyOperation.Input {
        let value = keys.newValue()
        guard !mustSucceed else { return .set(value) }
        switch clientRandom.below(12) {
        case 0...4: return .set(value)
        case 5: return .create(value)
        case 6: return .update(value)
        case 7...9: return .swap(from: keys.guess(key), to: value)
        case 10: return .delete
        default: return .deleteIf(keys.guess(key))
        }
    }

    private func later(client i: Int) {
        add(.client(i), after: clientRandom.around(Int64(weather.thinkMicroseconds) * 1000))
    }

    // MARK: On the member

    func request(client i: Int, _ number: UInt32) throws(Violation) {
        guard let request = clients[i].current, clients[i].request == number else { return }
        let host = hosts[request.host]
        guard let running = host.running else {
            // Nobody listens there.
            return try answer(client: i, number, .refused)
        }
        host.advance()
        let ticket = Ticket(connection: UInt32(i), request: number)
        switch request.input {
        case .read: read(request, ticket, host, running)
        default:
            running.requests[ticket] = .write
            propose(request, ticket, running)
            if scenario.mutation == .answerBeforeCommit {
                let output = KeyOperation.Output.done(previous: KeyOperation.absent)
                if case .set = request.input { reply(ticket, .output(output)) }
            }
        }
        host.needsTurn()
    }

    private func read(
        _ request: Client.Request, _ ticket: Ticket, _ host: Host, _ running: Running
    ) {
        if request.isPlain {
            if running.engine.isReadable {
                showPlain(request.key, ticket, host, running)
            } else {
                coverage.count(.readGated)
                running.requests[ticket] = .plainRead(key: request.key)
                running.engine.whenReadable(ticket: ticket)
            }
        } else if scenario.mutation == .readWithoutRound {
            reply(ticket, .output(.value(value(of: request.key, running))))
        } else {
            running.requests[ticket] = .linearizableRead(key: request.key, floor: request.floor)
            running.engine.readLinearizably(ticket: ticket)
        }
    }

    private func propose(_ request: Client.Request, _ ticket: Ticket, _ running: Running) {
        var command = Request(method: .put, path: keys.path(request.key))
        switch request.input {
        case .read: preconditionFailure("reads are not proposed")
        case .set(let value):
            command.value = KeySpace.bytes(value)
            if request.seconds > 0 {
                command.path = Array("/1/t\(value % 16)".utf8)
                command.expiration =
                    running.engine.clusterTime + request.seconds * Simulation.second
            }
        case .create(let value):
            (command.value, command.previousExists) = (KeySpace.bytes(value), false)
        case .update(let value):
            (command.value, command.previousExists) = (KeySpace.bytes(value), true)
        case .swap(let expected, let value):
            (command.value, command.previousValue) = (
                KeySpace.bytes(value), KeySpace.bytes(expected)
            )
        case .delete: command.method = .delete
        case .deleteIf(let expected):
            (command.method, command.previousValue) = (.delete, KeySpace.bytes(expected))
        }
        command.withView { running.engine.propose($0, ticket: ticket) }
    }

    private func value(of key: Int, _ running: Running) -> KeyOperation.Value {
        keys.path(key).withUnsafeBytes { path in
            do throws(StoreError) {
                return try running.engine.store.get(path).withValue { KeySpace.value($0) }
            } catch {
                return KeyOperation.absent
            }
        }
    }

    private func showPlain(_ key: Int, _ ticket: Ticket, _ host: Host, _ running: Running) {
        coverage.count(.readPlain)
        let index = running.engine.appliedIndex
        if index < host.shownIndex {
            violation = Violation(
                "reads of a member never go back",
                "\(host.id) showed entry \(host.shownIndex), and now reads at \(index)")
        }
        host.shownIndex = index
        reply(ticket, .done)
    }

    /// What came of a ticket, in a turn of `host`.
    func take(
        _ outcome: Outcome, _ ticket: Ticket, from host: Host, _ running: Running
    ) throws(Violation) {
        guard let request = running.requests.removeValue(forKey: ticket) else { return }
        switch (request, outcome) {
        case (.memberChange(let wish), .memberChange(_, let result)): answered(wish, result)
        case (.write, .applied(let event, let at)):
            try judge.acknowledges(at.raftIndex, at.raftTerm, by: host.id)
            coverage.count(.writeAcknowledged)
            let previous =
                event.previousNode == nil
                ? KeyOperation.absent : event.withPreviousValue { KeySpace.value($0) }
            reply(ticket, .output(.done(previous: previous)))
        case (.write, .failed(let error)):
            coverage.count(.writeRefusedByStore)
            reply(ticket, try Self.output(of: error).map { .output($0) } ?? .done)
        case (.linearizableRead(let key, let floor), .readable):
            coverage.count(.readLinearizable)
            let index = running.engine.appliedIndex
            guard index >= floor else {
                throw Violation(
                    "reads see what was acknowledged",
                    "\(host.id) reads at \(index), but \(floor) was acknowledged before")
            }
            reply(ticket, .output(.value(value(of: key, running))))
        case (.plainRead(let key), .readable): showPlain(key, ticket, host, running)
        case (_, .refused(let refusal)): refused(refusal, request, ticket)
        default:
            throw Violation("answers fit their requests", "\(outcome) for \(request)")
        }
    }

    private static func output(
        of error: StoreError
    ) throws(Violation) -> KeyOperation.Output? {
        switch error.code {
        case .keyNotFound: .keyMissing
        case .nodeExists: .keyExists
        case .compareFailed: .compareFailed
        default: throw Violation("answers fit their requests", "the store says \(error)")
        }
    }

    private func refused(_ refusal: Refusal, _ request: Running.Request, _ ticket: Ticket) {
        switch request {
        case .write:
            switch refusal {
            case .diskFull, .tooManyRequests, .stateIsVoid:
                coverage.count(.writeRefused)
                reply(ticket, .refused)
            case .timedOut, .timedOutLeaderLost, .stopped, .removed, .behind:
                reply(ticket, .unknown)
            }
        default:
            coverage.count(.readFailed)
            reply(ticket, .refused)
        }
    }

    // MARK: Being told

    /// An answer leaves; it may not arrive.
    private func reply(_ ticket: Ticket, _ reply: Reply) {
        guard !clientRandom.chance(perMille: weather.answerLossPerMille) else { return }
        add(
            .answer(Int(ticket.connection), ticket.request, reply),
            after: clientRandom.around(100_000))
    }

    func answer(client i: Int, _ number: UInt32, _ reply: Reply) throws(Violation) {
        guard let request = clients[i].current, clients[i].request == number else { return }
        clients[i].current = nil
        later(client: i)
        switch reply {
        case .output(let output):
            if let place = request.place {
                keys.answer(request.key, place, output, at: step)
            }
            if case .done = output, request.place != nil { clients[i].mustWriteOnce = false }
        case .done: break
        case .refused:
            if let place = request.place { keys.takeBack(request.key, place) }
        case .unknown: abandon(request)
        }
    }

    func giveUp(client i: Int, _ number: UInt32) {
        guard let request = clients[i].current, clients[i].request == number else { return }
        clients[i].current = nil
        later(client: i)
        abandon(request)
    }

    private func abandon(_ request: Client.Request) {
        guard let place = request.place else { return }
        if request.input != .read { coverage.count(.writeAmbiguous) }
        keys.giveUp(request.key, place)
    }

    /// A host is gone: who waits for it will wait in vain, and whoever watched there begins anew.
    func lostHost(_ slot: Int) {
        for i in watchers.indices where watchers[i].host == slot { restart(watcher: i) }
    }
}
