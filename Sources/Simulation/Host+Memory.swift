import Cluster
import RaftModel
import StateFiles
import Storage
import StorageIO

/// What a start must not have forgotten.
extension Host {
    /// What was reported durable is still there, whatever failed: the log is what it was after some
    /// of the batches that were handed over behind that, all of each group or nothing of it.
    func checkMemory(
        of recovery: Recovery<SimulatedStorage>, isRestart: Bool, isRejoining: Bool
    ) {
        let log = recovery.log
        let found = LogMirror(
            base: recovery.snapshot, entries: log.entries, hardState: log.hardState)
        if isRotten, !isRejoining {
            isRotten = false
            world.coverage.count(.rotHarmless)
        }
        guard isRestart, !isRejoining else { return }
        var expected = durable
        var isKnown = found.agrees(with: expected)
        for batch in outstanding where !isKnown {
            expected.write(
                snapshot: batch.snapshot, entries: batch.entries, hardState: batch.hardState)
            isKnown = found.agrees(with: expected)
        }
        guard isKnown else {
            world.violation = Violation(
                "what was durable is remembered",
                "\(id) had a log up to \(durable.lastIndex), of term "
                    + "\(durable.term(at: durable.lastIndex) ?? 0), and starts with one up to "
                    + "\(found.lastIndex), of term \(log.lastTerm)")
            return
        }
        let isOlder =
            found.term < durable.term
            || (found.term == durable.term && durable.vote != .none && found.vote != durable.vote)
        if isOlder {
            world.violation = Violation(
                "what was promised is remembered",
                "\(id) had voted for \(durable.vote) in term \(durable.term), and starts in term "
                    + "\(found.term) with a vote for \(found.vote)")
        }
    }

    /// Cuts the log's newest batch off, as a recovery would that takes it for torn.
    func mutateLog(_ directory: DataDirectory<SimulatedStorage>) {
        guard world.scenario.mutation == .cutTailTooFar,
            let segment = (try? storage.list(directory.walPath))?.last(where: {
                WALSegmentName($0) != nil
            })
        else { return }
        let path = "\(directory.walPath)/\(segment)"
        var bytes = storage.contents(of: path)
        guard let end = bytes.lastIndex(where: { $0 != 0 }), end > 2048 else { return }
        for i in (end - 100)...end { bytes[i] = 0 }
        storage.replaceContents(of: path, with: bytes)
    }
}
