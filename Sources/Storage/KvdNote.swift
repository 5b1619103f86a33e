public import RaftModel
public import StorageIO

/// `member/kvds`: the members that were kvds when this one last heard of them.
///
/// A hint to the next start, so that the member uses what only kvds understand at once, also while
/// some of the others are down. It promises nothing: what listens at a member's address now may be an
/// etcd, and is asked before anything is said to it that an etcd does not know.
///
/// Replaced as a whole, by a rename. Integers little-endian:
///
///     0       8          16        24      32              32+8n
///     +-------+----------+---------+-------+---------------+-----+
///     | magic | memberID | cluster | n     | n ids, rising | crc |
///     | u64   | u64      | u64     | u64   | u64 each      | u32 |
///     +-------+----------+---------+-------+---------------+-----+
///
/// - `memberID`, `cluster`: whose note it is; another's says nothing.
/// - `crc`: CRC-32C of all before it.
public struct KvdNote: Equatable, Sendable {
    public var owner: WALMetadata
    public var members: Set<MemberID>

    public init(owner: WALMetadata, members: Set<MemberID>) {
        (self.owner, self.members) = (owner, members)
    }

    /// "kvd kvds" read as bytes.
    private static let magic: UInt64 = 0x7364_766b_2064_766b
    private static let headBytes = 32
    /// No cluster has as many; what claims more is not read.
    static let membersMax = 1024

    /// Nil: not a note, or a damaged one.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count >= Self.headBytes + 4,
            bytes.count <= Self.headBytes + 8 * Self.membersMax + 4
        else { return nil }
        let read = bytes.withUnsafeBytes { bytes -> KvdNote? in
            let body = bytes.count - 4
            guard bytes.u64(0) == Self.magic, bytes.u64(24) == UInt64(body - Self.headBytes) / 8,
                (body - Self.headBytes) % 8 == 0,
                bytes.u32(body) == CRC32C.of(UnsafeRawBufferPointer(rebasing: bytes[..<body]))
            else { return nil }
            let ids = stride(from: Self.headBytes, to: body, by: 8).map { MemberID(bytes.u64($0)) }
            return KvdNote(
                owner: WALMetadata(
                    memberID: MemberID(bytes.u64(8)), clusterID: ClusterID(bytes.u64(16))),
                members: Set(ids))
        }
        guard let read, read.encoded == bytes else { return nil }
        self = read
    }

    public var encoded: [UInt8] {
        var bytes = ByteList()
        for word in [
            Self.magic, owner.memberID.rawValue, owner.clusterID.rawValue, UInt64(members.count),
        ] { bytes.add(word) }
        for id in members.sorted() { bytes.add(id.rawValue) }
        bytes.add(CRC32C.of(bytes.all))
        return bytes.all
    }
}

/// What a start finds of the note.
public enum KvdNoteSight: Equatable, Sendable {
    case none
    /// Nothing in it can be read.
    case damaged
    case note(KvdNote)
}

extension DataDirectory {
    public var kvdNotePath: String { "\(memberPath)/kvds" }

    public func kvdNote() throws(StorageError) -> KvdNoteSight {
        try KvdNote.look(at: kvdNotePath, storage: storage)
    }

    /// Durable on return; after a crash either the old note or this one is there.
    public func leave(_ note: KvdNote) throws(StorageError) {
        let temporary = "\(kvdNotePath).tmp"
        let file = try storage.open(temporary, for: .replacing)
        try file.write(note.encoded, at: 0)
        try file.sync()
        try storage.rename(temporary, to: kvdNotePath)
        try storage.syncDirectory(memberPath)
    }
}

extension KvdNote {
    /// What lies at `path`, whoever's it is.
    package static func look(
        at path: String, storage: some FileStorage
    ) throws(StorageError) -> KvdNoteSight {
        guard try storage.kind(of: path) != nil else { return .none }
        let bytes = try storage.open(path, for: .reading).readAll()
        return KvdNote(bytes).map { .note($0) } ?? .damaged
    }
}
