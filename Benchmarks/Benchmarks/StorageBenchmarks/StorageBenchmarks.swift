import Benchmark
import Foundation
import RaftModel
import Storage
import StorageIO

/// The log against the bare minimum: one `pwrite` and one `fdatasync` of as many bytes, on the same
/// file system in the same run. The ratio of the two medians is what counts.
let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock, .throughput], maxDuration: .seconds(3), maxIterations: 10_000)
    snapshotBenchmarks()

    for (count, bytes) in [(1, 128), (16, 128), (256, 128), (1024, 128), (64, 65_536)] {
        Benchmark("WAL append and sync, \(count) entries of \(bytes) B") { benchmark, log in
            log.makeInput()
            benchmark.startMeasurement()
            try log.appendAndSync()
            benchmark.stopMeasurement()
            try log.keepUp()
        } setup: {
            try SteadyLog(entryCount: count, entryBytes: bytes)
        }

        Benchmark("bare pwrite and fdatasync, \(count) x \(bytes) B") { benchmark, file in
            benchmark.startMeasurement()
            try file.writeAndSync()
            benchmark.stopMeasurement()
        } setup: {
            try BareFile(bytes: count * (bytes + 32))
        }
    }
}

/// The least that a log could do: the same bytes, from memory that is there, over blocks that were
/// written before.
final class BareFile {
    private let folder: ScratchFolder
    private let file: PosixFile
    private let block: [UInt8]
    private var offset = 0
    private static let room = 64_000_000

    init(bytes: Int) throws {
        folder = try ScratchFolder()
        file = try PosixStorage().open(folder.path + "/bare", for: .creating)
        try file.preallocate(sizeBytes: Self.room)
        try file.write([UInt8](repeating: 0, count: Self.room), at: 0)
        try file.sync()
        block = [UInt8](repeating: 0x61, count: bytes)
    }

    func writeAndSync() throws {
        if offset + block.count > Self.room { offset = 0 }
        try file.write(block, at: offset)
        try file.sync()
        offset += block.count
    }
}

/// A log as a server has it after a while: the next segment is made ahead, of one that was released.
final class SteadyLog {
    private let folder: ScratchFolder
    private let wal: WAL<PosixStorage>
    /// Used again for each batch: making its input is no work of the log.
    private var entries: [Entry]
    private var index: UInt64 = 0

    init(entryCount: Int, entryBytes: Int) throws {
        folder = try ScratchFolder()
        var options = WALOptions()
        options.segmentFilesMax = 1
        wal = try WAL.create(
            in: folder.path, storage: PosixStorage(),
            metadata: WALMetadata(memberID: MemberID(1), clusterID: ClusterID(2)),
            options: options)
        let data = [UInt8](repeating: 0x61, count: entryBytes)
        entries = Array(repeating: Entry(term: 1, index: 0, data: data), count: entryCount)
        // Until no segment is new any more.
        let big = [UInt8](repeating: 0x62, count: 1 << 20)
        for _ in 0..<260 {
            index += 1
            try wal.append(hardState: nil, entries: [Entry(term: 1, index: index, data: big)])
            try wal.sync()
            try keepUp()
        }
    }

    /// What Raft does before.
    func makeInput() {
        for i in entries.indices {
            index += 1
            entries[i].index = index
        }
    }

    func appendAndSync() throws {
        try wal.append(hardState: nil, entries: entries)
        try wal.sync()
    }

    /// What the server's other threads do meanwhile.
    func keepUp() throws {
        wal.release(through: index)
        if let release = wal.nextRelease() { wal.released(release.run()) }
        if let preparation = wal.nextPreparation() {
            wal.prepared(try preparation.run(), by: preparation)
        }
    }
}

/// A folder that goes away with its owner.
final class ScratchFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "kvd-benchmark-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
