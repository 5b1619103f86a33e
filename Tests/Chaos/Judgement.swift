import Histories
import ProcessSupport

/// What is asked of a cluster at rest, and of what its clients were told.
package enum Judgement {
    /// Reads each key once more, on the members in turn, as one more operation of its history: what
    /// was acknowledged and is gone has no order then.
    static func judge(_ book: HistoryBook, _ cluster: ChaosCluster) throws {
        for (place, kept) in book.all.enumerated() {
            var kept = kept
            let member = cluster.members[place % cluster.members.count]
            let call = kept.history.call(.read, client: -1, at: ClientLoad.now)
            try cluster.wait("a last read of \(kept.path)") {
                guard let connection = try? member.client(timeoutMilliseconds: 5000),
                    case .output(let output)? = try? KeyClient.ask(
                        .read, kept.path, on: connection)
                else { return false }
                kept.history.answer(call, output, at: ClientLoad.now)
                return true
            }
            try judge(kept)
        }
    }

    package static func judge(_ kept: HistoryBook.Kept) throws {
        guard let failure = kept.history.check() else { return }
        let lines = kept.history.operations.sorted { $0.calledAt < $1.calledAt }.map(\.line)
        throw ChaosFailure(
            """
            \(kept.path) is not linearizable: \(failure)
            its history:
            \(lines.joined(separator: "\n"))
            """)
    }
}
