import Foundation
import Histories
import ProcessSupport
import StorageIO
import Synchronization

/// Clients that ask one thing after the other, each on its own thread and connection, and go to
/// another member when theirs fails them.
package final class ClientLoad: Sendable {
    package struct Counts: Sendable {
        package var operations = 0
        package var unknown = 0
    }

    private struct State {
        var ports: [Int]
        var counts = Counts()
        var failure: ChaosFailure?
    }

    package let book: HistoryBook
    package let availability = Availability()
    private let state: Mutex<State>
    private let isStopped = Atomic(false)
    private let group = DispatchGroup()
    /// Longer than an election, shorter than the time that a member may wait for one.
    private let timeoutMilliseconds = 1500

    /// Starts.
    package init(_ book: HistoryBook, clients: Int, ports: [Int], seed: UInt64) {
        self.book = book
        state = Mutex(State(ports: ports))
        for client in 0..<clients {
            group.enter()
            Thread.detachNewThread { [self] in
                var random = SplitMix64(
                    seed: seed &+ UInt64(client), purpose: Chaos.Purpose.clients)
                run(client, &random)
                group.leave()
            }
        }
    }

    /// Members have come or gone.
    package func use(ports: [Int]) { state.withLock { $0.ports = ports } }

    package var counts: Counts { state.withLock { $0.counts } }

    /// Waits for the answers that are under way.
    package func stop() throws -> Counts {
        isStopped.store(true, ordering: .relaxed)
        group.wait()
        let (counts, failure) = state.withLock { ($0.counts, $0.failure) }
        if let failure { throw failure }
        return counts
    }

    static var now: UInt64 { UInt64(MachineClock.monotonicNanoseconds) }

    private func run(_ client: Int, _ random: inout SplitMix64) {
        var connection: LoopbackHTTP?
        var turn = client
        while !isStopped.load(ordering: .relaxed) {
            // A pace, so that the members have the processors.
            MachineClock.sleep(nanoseconds: random.between(0, 6) * Chaos.millisecond)
            if connection == nil {
                connection = connect(turn)
                guard connection != nil else {
                    turn += 1
                    continue
                }
            }
            guard let open = connection, let call = begin(client, &random) else { continue }
            do {
                let answer = try KeyClient.ask(call.input, call.path, on: open)
                note(answer, call)
                if answer == .unknown { turn += 1 }
                // Now and then to another member, so that a new one is used too.
                if answer == .unknown || random.chance(percent: 1) {
                    connection = nil
                    turn += random.below(3)
                }
            } catch let failure as ChaosFailure {
                state.withLock { $0.failure = $0.failure ?? failure }
                return book.giveUp(call)
            } catch {
                note(.unknown, call)
                connection = nil
                turn += 1
            }
        }
    }

    private func connect(_ turn: Int) -> LoopbackHTTP? {
        let ports = state.withLock { $0.ports }
        guard let connection = try? LoopbackHTTP(port: ports[turn % ports.count]) else {
            return nil
        }
        connection.setTimeout(milliseconds: timeoutMilliseconds)
        return connection
    }

    private func begin(_ client: Int, _ random: inout SplitMix64) -> HistoryBook.Call? {
        let kind = random.below(16)
        return book.begin(
            slot: random.below(book.slotCount), client: client, now: { Self.now }
        ) { new, guess in
            switch kind {
            case 0...4: .read
            case 5...8: .set(new)
            case 9: .create(new)
            case 10: .update(new)
            case 11...13: .swap(from: guess, to: new)
            case 14: .delete
            default: .deleteIf(guess)
            }
        }
    }

    private func note(_ answer: KeyClient.Answer, _ call: HistoryBook.Call) {
        let now = Self.now
        switch answer {
        case .output(let output): book.answer(call, output, at: now)
        case .unknown: book.giveUp(call)
        }
        state.withLock {
            $0.counts.operations += 1
            if answer == .unknown { $0.counts.unknown += 1 }
        }
        if case .output(.done) = answer {
            availability.acknowledged(askedAt: call.askedAt, answeredAt: now)
        }
    }
}
