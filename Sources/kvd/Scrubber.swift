import Logging
import RaftModel
import State
import Storage
import StorageIO
import Synchronization

/// Reads everything that is closed in the data dir again, slowly, at intervals (`--scrub-interval`):
/// rot is to be found while there is still somebody to help, not at the next start.
///
/// A damaged snapshot is set aside, and a new one asked for: the state it stood for is here. Damage
/// in a closed segment of the log can only be reported: the entries in it are in the newer
/// snapshots, so that it matters to older ones and to the archive only; if the newest snapshot needs
/// it, one that does not is asked for.
final class Scrubber: Sendable {
    struct Finding: Sendable {
        /// A newer snapshot makes what is damaged unnecessary.
        var wantsSnapshot: Bool
    }

    private let directory: DataDirectory<PosixStorage>
    private let snapshots: SnapshotDirectory<PosixStorage>
    private let worker = SerialWorker(named: "kvd-scrub", .background)
    private let isStopping = Atomic(false)
    private let log = Logger(label: "scrub")
    private let counted = Mutex(Statistics())

    /// Since the start.
    struct Statistics: Sendable {
        var roundCount: UInt64 = 0
        var readBytes: UInt64 = 0
        var damageCount: UInt64 = 0
        /// Unix nanoseconds of the end of the last whole round; 0: none yet.
        var lastRoundAt: Int64 = 0
        var lastRoundDamageCount: UInt64 = 0
    }

    var statistics: Statistics { counted.withLock { $0 } }

    /// Some 16 MB a second: a gigabyte a minute is soon enough.
    private static let pieceBytes = 1 << 20
    private static let pauseNanoseconds: Int64 = 60_000_000

    init(_ directory: DataDirectory<PosixStorage>, _ snapshots: SnapshotDirectory<PosixStorage>) {
        (self.directory, self.snapshots) = (directory, snapshots)
    }

    /// Begins a round, on the scrubber's thread; `found` is called there, once for each damage.
    func run(_ found: @escaping @Sendable (Finding) -> Void) {
        worker.submit { [self] in
            let started = MachineClock.monotonicNanoseconds
            var bytes = 0
            var damages = 0
            scrubSnapshots(&bytes) { finding in
                damages += 1
                found(finding)
            }
            scrubLog(&bytes) { finding in
                damages += 1
                found(finding)
            }
            guard !isStopping.load(ordering: .relaxed) else { return }
            let end = (bytes: UInt64(bytes), damages: UInt64(damages))
            counted.withLock { counted in
                counted.roundCount += 1
                counted.readBytes += end.bytes
                counted.damageCount += end.damages
                counted.lastRoundDamageCount = end.damages
                counted.lastRoundAt = WallClock.unixNanoseconds
            }
            let seconds = (MachineClock.monotonicNanoseconds - started) / 1_000_000_000
            log.info("read \(bytes) bytes again in \(seconds) s: \(damages) damaged files")
        }
    }

    func stop() {
        isStopping.store(true, ordering: .relaxed)
        worker.stop()
    }

    /// Pauses after each piece; false: the member stops.
    private func pace(_ bytes: inout Int, _ count: Int) -> Bool {
        let before = bytes / Self.pieceBytes
        bytes += count
        for _ in before..<(bytes / Self.pieceBytes) {
            MachineClock.sleep(nanoseconds: Self.pauseNanoseconds)
        }
        return !isStopping.load(ordering: .relaxed)
    }

    private func scrubSnapshots(_ bytes: inout Int, _ found: (Finding) -> Void) {
        guard let names = try? snapshots.list() else { return }
        for (place, name) in names.enumerated() where name.format == .kvd {
            do throws(SnapshotError) {
                let reader = try snapshots.open(name)
                while let piece = try reader.next() {
                    guard pace(&bytes, piece.count) else { return }
                }
            } catch {
                guard error.isDamage else { continue }  // purged meanwhile, or not readable now
                log.error("\(error)")
                log.error("snapshot \(name) is set aside as \(name).broken")
                try? snapshots.markBroken(name)
                found(Finding(wantsSnapshot: place == 0))
            }
        }
    }

    private func scrubLog(_ bytes: inout Int, _ found: (Finding) -> Void) {
        var isGoingOn = true
        do throws(WALError) {
            let summary = try LogScan.run(directory.walPath, storage: directory.storage) { record in
                isGoingOn = pace(&bytes, record.frameBytes)
                return isGoingOn
            }
            for damage in summary.damage {
                log.error(
                    """
                    \(damage). This member goes on: what it needs is in memory, and a new snapshot makes \
                    the damaged part unnecessary
                    """)
                found(Finding(wantsSnapshot: true))
            }
        } catch {
            log.warning("the log could not be read again: \(error)")
        }
    }
}
