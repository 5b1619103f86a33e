import Cluster
import KeyStore
import Logging
import Metrics
import NIOCore
import RaftModel
import State
import StateFiles
import Storage
import StorageIO
import Synchronization

/// Writes images of the state out as snapshot files, removes old ones, and takes in those that come
/// from a leader. Its own thread does all of that; the loop only hands over and is told.
final class SnapshotKeeper: Sendable {
    /// Of a snapshot that is durable.
    struct Saved: Sendable {
        var metadata: SnapshotMetadata
        /// Not compressed.
        var stateBytes: Int
        /// The oldest index that a snapshot which is still there stands for: the log behind it is
        /// needed.
        var oldestIndex: UInt64
    }

    /// A snapshot to be sent to a follower.
    enum Outgoing: Sendable {
        case file(SnapshotFileSource)
        /// For an etcd 2.x member: its own form, inside the message.
        case data([UInt8], SnapshotMetadata)

        var metadata: SnapshotMetadata {
            switch self {
            case .file(let file): file.metadata
            case .data(_, let metadata): metadata
            }
        }
    }

    let directory: SnapshotDirectory<PosixStorage>
    private let identity: WALMetadata
    /// Files to keep; 0 keeps all.
    private let filesMax: Int
    private let jobs = SerialWorker(named: "kvd-snapshot", .background)
    /// Helps with snapshots of our own.
    private let idle = SerialWorker(named: "kvd-idle", .idle)
    let log = Logger(label: "etcdserver")
    /// What came from a leader and waits for Raft's word that it counts.
    private let arrived = Mutex<[(metadata: SnapshotMetadata, arrival: Arrival)]>([])

    var clusterID: ClusterID { identity.clusterID }
    let incoming = IncomingSnapshots()
    private let counted = Mutex(Statistics())

    /// Of snapshots of our own, since the start.
    struct Statistics: Sendable {
        var saves = DurationHistogram(firstNanoseconds: 1_000_000, boundsCount: 14)
        /// The part of it that made bytes of the state; the rest wrote them, or waited to.
        var marshallings = DurationHistogram(firstNanoseconds: 1_000_000, boundsCount: 14)
        var failureCount: UInt64 = 0
        var isLastFailed = false
        var writtenBytes: UInt64 = 0
        var lastFileBytes: UInt64 = 0
        var lastStateBytes: UInt64 = 0
        var purgedCount: UInt64 = 0
    }

    var statistics: Statistics { counted.withLock { $0 } }

    struct Arrival: Sendable {
        var image: StateImage
        var stateBytes: Int
    }

    init(
        _ directory: SnapshotDirectory<PosixStorage>, identity: WALMetadata, filesMax: Int
    ) {
        self.directory = directory
        self.identity = identity
        self.filesMax = filesMax
    }

    /// What stands in the header of a snapshot of `image`.
    func header(of image: StateImage) -> SnapshotHeader {
        SnapshotHeader(
            image, member: identity.memberID, cluster: identity.clusterID,
            createdAt: WallClock.unixNanoseconds)
    }

    /// Writes `image`; calls `done` on the keeper's thread.
    func save(
        _ image: StateImage, pace: WritePace,
        done: @escaping @Sendable (Result<Saved, SnapshotError>) -> Void
    ) {
        jobs.submit { [self] in
            let started = MachineClock.monotonicNanoseconds
            do throws(SnapshotError) {
                let (file, marshalling) = try write(image, pace: pace)
                let nanoseconds = MachineClock.monotonicNanoseconds - started
                let took = nanoseconds / 1_000_000
                counted.withLock { counted in
                    counted.saves.record(nanoseconds: nanoseconds)
                    counted.marshallings.record(nanoseconds: marshalling)
                    counted.writtenBytes += UInt64(file.fileBytes)
                    counted.lastFileBytes = UInt64(file.fileBytes)
                    counted.lastStateBytes = UInt64(file.stateBytes)
                    counted.isLastFailed = false
                }
                log.info(
                    """
                    saved snapshot at index \(image.index): \(image.nodeCount) keys, \
                    \(file.fileBytes) bytes, in \(took) ms
                    """)
                removeOld(upTo: image.index)
                incoming.forget(upTo: image.index)
                done(
                    .success(
                        Saved(
                            metadata: image.metadata, stateBytes: Int(file.stateBytes),
                            oldestIndex: oldestIndex() ?? image.index)))
            } catch {
                counted.withLock { counted in
                    counted.failureCount += 1
                    counted.isLastFailed = true
                }
                done(.failure(error))
            }
        }
    }

    /// Returns the file, and how many nanoseconds it took to make bytes of the state.
    private func write(
        _ image: StateImage, pace: WritePace
    ) throws(SnapshotError) -> (SnapshotFile, marshalling: Int64) {
        let isPaced = pace != .unlimited
        let save = try SnapshotSave(
            image, header(of: image), in: directory, pace: pace,
            restRatio: isPaced ? Self.restRatio : 0)
        let outcome = try save.run(firstOn: isPaced ? idle : nil, upTo: Self.idleLimit)
        return (outcome.file, outcome.marshallingNanoseconds)
    }

    /// A million keys take some seconds of a processor that is free now and then; the log grows by
    /// as much meanwhile as it does in a snapshot that a busy server makes.
    private static let idleLimit = Duration.seconds(15)

    /// A paced snapshot rests this many times as long as it works, piece by piece: where there are
    /// two processors and both are busy, one that went through took a third of the writes' time.
    private static let restRatio: Int64 = 7

    private func removeOld(upTo index: UInt64) {
        do throws(StorageError) {
            for name in try directory.purge(keeping: filesMax, upTo: index) {
                counted.withLock { $0.purgedCount += 1 }
                log.info("purged file \(directory.path(of: name)) successfully")
            }
        } catch {
            log.warning("an old snapshot could not be removed: \(error)")
        }
    }

    private func oldestIndex() -> UInt64? {
        (try? directory.list())?.map(\.index).min()
    }

    // MARK: To a follower. On the keeper's thread.

    /// The newest of kvd's own that is at `indexMin` or later, and can be read.
    func newest(indexMin: UInt64) -> SnapshotFileSource? {
        guard let names = try? directory.list() else { return nil }
        for name in names where name.format == .kvd && name.index >= indexMin {
            if let source = try? SnapshotFileSource(name, in: directory) { return source }
        }
        return nil
    }

    /// As an etcd 2.x member takes it.
    func forEtcd(_ source: SnapshotFileSource?) -> Outgoing? {
        guard let source, let loaded = try? SnapshotLoader(directory).load(source.name)
        else { return nil }
        return .data(EtcdSnapshot.encodeStore(loaded.image), source.metadata)
    }

    // MARK: From a leader

    /// Makes a file of what an etcd 2.x leader sent inside its message. On the keeper's thread.
    func takeIn(_ snapshot: Snapshot) -> Bool {
        let metadata = snapshot.metadata
        do {
            let image = try snapshot.data.withUnsafeBytes { data in
                try EtcdSnapshot.decodeStore(data, metadata)
            }
            let (file, _) = try write(image, pace: .unlimited)
            arrive(image, metadata, stateBytes: Int(file.stateBytes))
            return true
        } catch {
            log.error("the leader's snapshot at index \(metadata.index) is not taken: \(error)")
            return false
        }
    }

    func arrive(_ image: StateImage, _ metadata: SnapshotMetadata, stateBytes: Int) {
        arrived.withLock { arrived in
            arrived.append((metadata, Arrival(image: image, stateBytes: stateBytes)))
        }
    }

    func hasArrived(_ metadata: SnapshotMetadata) -> Bool {
        arrived.withLock { $0.contains { $0.metadata == metadata } }
    }

    /// The state of a snapshot that Raft has taken.
    func take(_ metadata: SnapshotMetadata) -> Arrival? {
        arrived.withLock { arrived in
            guard let place = arrived.firstIndex(where: { $0.metadata == metadata }) else {
                return nil
            }
            return arrived.remove(at: place).arrival
        }
    }

    /// Raft has seen the snapshot's message. If it did not take it, it never will, and the state is
    /// let go of. The file stays until newer ones push it out: it may bear the name of one that this
    /// member made itself and counts on.
    func settle(_ metadata: SnapshotMetadata) {
        guard take(metadata) != nil else { return }
        let name = SnapshotName(term: metadata.term, index: metadata.index, format: .kvd)
        log.info("the leader's snapshot \(name) was not needed any more")
    }

    /// Runs `job` after all that was handed over before, on the keeper's thread.
    func run(_ job: @escaping @Sendable () -> Void) { jobs.submit(job) }

    /// Returns when the job under way has ended; what waits is dropped.
    func stop() {
        jobs.stop()
        idle.stop()
    }
}
