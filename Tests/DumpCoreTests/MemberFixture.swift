import FixtureSupport
import Cluster
import DumpCore
import KeyStore
import RaftModel
import State
import Storage
import StorageIO

/// A kvd member's data dir, written as a server writes one.
final class MemberFixture {
    let directory: TemporaryDirectory
    let path: String
    let storage = PosixStorage()
    let member: Member
    let metadata: WALMetadata
    let wal: WAL<PosixStorage>
    /// What has been committed so far.
    let state = MemberState()
    private(set) var lastIndex: UInt64 = 0
    /// Of the SYNCs, in Unix nanoseconds; a second each.
    static let startTime: Int64 = 1_700_000_000_000_000_000

    var walPath: String { "\(path)/member/wal" }
    var snapshots: SnapshotDirectory<PosixStorage> {
        SnapshotDirectory("\(path)/member/snap", storage: storage)
    }

    init(segmentBytes: Int = 1 << 20) throws {
        directory = try TemporaryDirectory()
        path = "\(directory.path)/m1"
        let cluster = try InitialCluster("m1=http://127.0.0.1:7001")
        let members = cluster.makeMembers(token: "fixture")
        member = members[0]
        metadata = WALMetadata(
            memberID: member.id, clusterID: ClusterID(members: members.map(\.id)))
        for name in ["", "/member", "/member/wal", "/member/snap"] {
            try storage.createDirectory("\(path)\(name)")
        }
        var options = WALOptions()
        options.segmentBytes = segmentBytes
        (options.writesZerosAhead, options.keepsReserve) = (false, false)
        wal = try WAL.create(
            in: "\(path)/member/wal", storage: storage, metadata: metadata, options: options)
        try commit(Bootstrap.entries(members))
    }

    /// Puts entries into the log and says that they are committed.
    func commit(_ entries: [Entry]) throws {
        try save(entries)
        try wal.append(
            hardState: HardState(term: 1, vote: member.id, commit: lastIndex), entries: [])
        try wal.sync()
        for entry in entries { _ = state.apply(entry, monotonic: 0, wall: 0) }
    }

    /// Puts entries into the log, of which nobody knows yet that they are committed.
    func save(_ entries: [Entry]) throws {
        try wal.append(hardState: nil, entries: entries)
        try wal.sync()
        lastIndex = entries.last?.index ?? lastIndex
    }

    func put(_ key: String, _ value: String) -> Entry {
        Entry(
            term: 1, index: lastIndex + 1,
            data: Request(
                id: lastIndex + 1, method: .put, path: Array("/1/\(key)".utf8),
                value: Array(value.utf8)
            ).encoded())
    }

    func sync(second: Int64) -> Entry {
        var request = Request(id: lastIndex + 1, method: .sync)
        request.time = Self.startTime + second * 1_000_000_000
        return Entry(term: 1, index: lastIndex + 1, data: request.encoded())
    }

    /// `count` puts, then a SYNC, all committed one by one.
    func fill(_ count: Int, second: Int64) throws {
        for i in 0..<count { try commit([put("key\(i)", "value \(i) of second \(second)")]) }
        try commit([sync(second: second)])
    }

    /// Of the state as it is, with its record in the log.
    func makeSnapshot() throws {
        let image = state.image()
        let header = SnapshotHeader(
            member: member.id, cluster: metadata.clusterID, term: image.term, index: image.index,
            confState: image.confState, storeIndex: image.store.currentIndex,
            contentHash: image.contentHash, nodeCount: UInt64(image.nodeCount),
            eventCount: UInt64(image.eventCount), clusterTime: image.clusterTime,
            createdAt: Self.startTime)
        let writer = try snapshots.create(header)
        try StateEncoder.bytes(image).withUnsafeBytes { try writer.append($0) }
        _ = try writer.finish()
        try wal.append(WALSnapshotRecord(index: image.index, term: image.term))
        try wal.sync()
    }

    func store(
        _ moment: Moment = .end, archive: String? = nil, path: String = "/1"
    ) throws(DumpError) -> Captured {
        var dump = StoreDump()
        (dump.directory, dump.moment, dump.archive) = (self.path, moment, archive)
        (dump.path, dump.showsValues) = (path, true)
        let storage = storage
        return try Captured.run { output, progress throws(DumpError) in
            try dump.run(storage, output, progress)
        }
    }

    func verify(_ path: String? = nil) throws(DumpError) -> Captured {
        let (path, storage) = (path ?? self.path, storage)
        return try Captured.run { output, progress throws(DumpError) in
            try Verification.run(path, storage, output, progress)
        }
    }
}
