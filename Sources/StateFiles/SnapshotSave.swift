package import State
package import Storage
package import StorageIO
import Synchronization

/// One snapshot that is being written and read back, piece by piece: by one thread, or by a second one
/// first.
///
///     encode ─▶ compress ─▶ write ─▶ … sync ─▶ read ─▶ decompress ─▶ decode, compare ─▶ … rename
///
/// Older snapshots and the log are let go of for it, so it does not get its name before it is known that
/// a start could read it, and would find the very same state. What is read comes from the system's cache:
/// this finds what this program or this machine's memory got wrong; what a disk loses later is found by
/// looking again from time to time.
///
///     the caller's thread                        a thread of the idle class
///     run(firstOn:upTo:) ──────────────────────▶ pieces, as long as nobody else
///       waits, at most so long        ◀───────── wants the processor
///       asks it to leave off, waits   ◀───────── for the piece under way
///       goes on with the next piece
///       frees the image
///
/// A thread of the idle class gives way at once when another one wakes, where even one of the lowest
/// priority keeps the processor for a scheduler's slice, which every request beside it then waits
/// for. But where the processors are never free it gets next to nothing of them, and meanwhile the
/// log grows: hence the limit, after which the usual class goes on.
package final class SnapshotSave<IO: FileStorage>: Sendable {
    private struct Work: ~Copyable {
        let image: StateImage
        var encoder: StateEncoder
        let writer: SnapshotWriter<IO>
        /// Nil until all is written.
        var readBack: SnapshotReadBack<IO>?
        var pieceCount = 0
        var marshallingNanoseconds: Int64 = 0
        var failure: SnapshotError?

        init(_ image: StateImage, _ writer: SnapshotWriter<IO>) {
            self.image = image
            encoder = StateEncoder(image)
            self.writer = writer
        }

        mutating func step(restRatio: Int64) -> Bool {
            let started = MachineClock.monotonicNanoseconds
            let (isMore, waiting): (Bool, Int64)
            do throws(SnapshotError) {
                if readBack == nil {
                    (isMore, waiting) = try write()
                } else {
                    (isMore, waiting) = (try readBack?.step() ?? false, 0)
                }
            } catch {
                failure = error
                return false
            }
            let working = MachineClock.monotonicNanoseconds - started - waiting
            if readBack == nil { marshallingNanoseconds += working }
            MachineClock.sleep(nanoseconds: working * restRatio)
            return isMore
        }

        /// - Returns: true, and how long the disk took: when nothing is left to write, there is all of it
        ///   to be read.
        private mutating func write() throws(SnapshotError) -> (Bool, Int64) {
            var writing: Int64 = 0
            let writer = writer
            let isMore = try encoder.next { piece throws(SnapshotError) in
                let begun = MachineClock.monotonicNanoseconds
                try writer.append(piece)
                writing += MachineClock.monotonicNanoseconds - begun
            }
            pieceCount += isMore ? 1 : 0
            if !isMore {
                let begun = MachineClock.monotonicNanoseconds
                try writer.seal()
                readBack = SnapshotReadBack(try writer.reader(), image)
                writing += MachineClock.monotonicNanoseconds - begun
            }
            return (true, writing)
        }
    }

    private enum Turn {
        case notBegun
        case underWay
        case mustEnd
        case ended
    }

    package struct Outcome: Sendable {
        package var file: SnapshotFile
        /// The part of the time that made bytes of the state; the rest wrote them, or waited to.
        package var marshallingNanoseconds: Int64
        package var pieceCount: Int
        /// How many of them the other thread made.
        package var idlePieceCount: Int
    }

    private let work: Mutex<Work?>
    private let turn = SleepingLock(Turn.notBegun)
    /// How many times as long as it made bytes a piece is followed by rest.
    private let restRatio: Int64

    package init(
        _ image: StateImage, _ header: SnapshotHeader, in directory: SnapshotDirectory<IO>,
        pace: WritePace, restRatio: Int64 = 0
    ) throws(SnapshotError) {
        work = Mutex(Work(image, try directory.create(header, pace: pace)))
        self.restRatio = restRatio
    }

    /// Writes the file, reads it back, and makes it durable under its name. On the caller's thread, once.
    ///
    /// - Parameter idle: has a thread of its own of the idle class; nil: no help.
    package func run(
        firstOn idle: SerialWorker? = nil, upTo limit: Duration = .zero
    ) throws(SnapshotError) -> Outcome {
        if let idle { leave(to: idle, upTo: limit) }
        let idlePieceCount = work.withLock { $0?.pieceCount } ?? 0
        while step() {}
        // Out of the lock, which the idle thread may outlive: the image is freed here.
        guard let done = work.withLock({ $0.take() }) else {
            preconditionFailure("a snapshot is written once")
        }
        do throws(SnapshotError) {
            if let failure = done.failure { throw failure }
            return Outcome(
                file: try done.writer.publish(),
                marshallingNanoseconds: done.marshallingNanoseconds, pieceCount: done.pieceCount,
                idlePieceCount: idlePieceCount)
        } catch {
            done.writer.abandon()
            throw error
        }
    }

    private func leave(to idle: SerialWorker, upTo limit: Duration) {
        idle.submit { [self] in
            let mayBegin = turn.withLock { turn in
                guard turn == .notBegun else { return false }
                turn = .underWay
                return true
            }
            guard mayBegin else { return }
            while turn.withLock({ $0 == .underWay }), step() {}
            turn.withLockAndWake { $0 = .ended }
        }
        turn.wait(upTo: limit, orElse: ()) { $0 == .ended ? () : nil }
        turn.withLock { turn in
            // One that has not begun by now never does.
            if turn == .underWay { turn = .mustEnd } else { turn = .ended }
        }
        turn.wait(upTo: nil, orElse: ()) { $0 == .ended ? () : nil }
    }

    /// Writes a piece, or reads one back; false: there was none left, or it failed.
    private func step() -> Bool {
        work.withLock { work in
            guard work?.failure == nil else { return false }
            return work?.step(restRatio: restRatio) ?? false
        }
    }
}
