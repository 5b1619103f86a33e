import RaftModel
@testable import Storage
import StorageIO

/// A log on a simulated disk, for tests that break it.
struct LogFixture {
    static let directory = "/d/wal"
    static let ids = WALMetadata(memberID: MemberID(0xa1), clusterID: ClusterID(0xc1))

    let storage: SimulatedStorage
    var options = WALOptions()

    init(seed: UInt64 = 1, segmentBytes: Int = 4096) throws {
        storage = SimulatedStorage(seed: seed)
        options.segmentBytes = segmentBytes
        for path in ["/d", "/d/wal"] { try storage.createDirectory(path) }
        for path in ["/", "/d"] { try storage.syncDirectory(path) }
    }

    /// Another disk with these files in the log's dir.
    init(files: [String: [UInt8]]) throws {
        try self.init()
        for (name, bytes) in files {
            storage.replaceContents(of: "\(Self.directory)/\(name)", with: bytes)
        }
    }

    func create() throws -> WAL<SimulatedStorage> {
        try WAL.create(
            in: Self.directory, storage: storage, metadata: Self.ids, options: options)
    }

    func recover(
        from snapshot: WALSnapshotRecord = .none
    ) throws -> (wal: WAL<SimulatedStorage>, log: RecoveredLog) {
        try WAL.recover(
            in: Self.directory, storage: storage, from: snapshot, expecting: Self.ids,
            options: options)
    }

    func read() throws -> RecoveredLog { try LogReader.read(Self.directory, storage: storage) }

    func files() throws -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for name in try storage.list(Self.directory) {
            files[name] = storage.contents(of: "\(Self.directory)/\(name)")
        }
        return files
    }

    static func entries(_ indices: ClosedRange<UInt64>, term: UInt64, bytes: Int = 10) -> [Entry] {
        indices.map { index in
            let data = (0..<bytes).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ Int(index)) }
            return Entry(term: term, index: index, data: data)
        }
    }
}

extension RecoveredLog {
    /// What a log adds up to, to be compared.
    var content: LogContent { LogContent(entries: entries, hardState: hardState) }
}

struct LogContent: Equatable {
    var entries: [Entry] = []
    var hardState = HardState.empty

    /// What a save does to it.
    mutating func save(_ state: HardState?, _ new: [Entry]) {
        if let first = new.first {
            entries.removeAll { $0.index >= first.index }
            entries += new
        }
        if let state { hardState = state }
    }
}
