public import RaftModel
public import StorageIO

/// What this member promised last: its term, and the vote that it cast in it. `member/vote`.
///
/// The log says so too. Kept apart, it is still known when the log is damaged: a member that
/// starts anew without its log must not vote a second time in a term in which it voted.
///
/// Two slots, each in a page of its own so that no torn write takes both; written in turn and
/// synced each time. The one with the later number and a valid crc counts. Little-endian.
///
///     0       8        16      24      32         40     44
///     +-------+--------+-------+-------+----------+------+-----------------+
///     | magic | number | term  | vote  | memberID | crc  | zeros to 4096   |
///     | u64   | u64    | u64   | u64   | u64      | u32  |                 |
///     +-------+--------+-------+-------+----------+------+-----------------+
///
/// - `number`: of the store, from 1 (`SlotNumber`). Slot 0, at byte 0, has the even ones; slot 1 is at
///   4096.
/// - `crc`: CRC-32C of bytes 0 ..< 40.
public struct VoteRecord<IO: FileStorage>: Sendable {
    static var slotBytes: Int { 4096 }
    private static var payloadBytes: Int { 40 }
    /// "kvd vote" read as bytes.
    private static var magic: UInt64 { 0x65_746f_7620_6476_6b }

    /// The last promise that is known to be durable; nil: none was ever made, or see
    /// `isDamaged`.
    public private(set) var recalled: (term: UInt64, vote: MemberID)?
    /// The file is there and nothing in it can be read, or it is another member's: any promise
    /// may have been made.
    public let isDamaged: Bool
    private let file: IO.File
    private let memberID: MemberID
    private var number: UInt64

    /// Opens or makes the record of `member` at `path` (`DataDirectory.votePath`).
    public static func open(
        _ path: String, storage: IO, member: MemberID
    ) throws(StorageError) -> VoteRecord {
        let file = try storage.open(path, for: .creatingIfMissing)
        let bytes = try file.readAll()
        let newest = Self.newest(in: bytes)
        let isOurs = newest.map { $0.memberID == member } ?? true
        if bytes.count < 2 * slotBytes {
            // Zeros: nothing has to be allocated when it must be written.
            let missing = 2 * slotBytes - bytes.count
            try file.write([UInt8](repeating: 0, count: missing), at: bytes.count)
            try file.sync()
            try storage.syncDirectory(parentPath(of: path))
        }
        let isBlank = bytes.allSatisfy { $0 == 0 }
        return VoteRecord(
            recalled: isOurs ? newest.map { ($0.term, $0.vote) } : nil,
            isDamaged: !isOurs || (newest == nil && !isBlank),
            file: file, memberID: member, number: newest?.number ?? 0)
    }

    /// What the record at `path` says, whoever's it is, for those who only look; nil: there is none.
    package static func look(
        at path: String, storage: IO
    ) throws(StorageError) -> VoteRecordSight? {
        guard try storage.kind(of: path) != nil else { return nil }
        let bytes = try storage.open(path, for: .reading).readAll()
        let newest = Self.newest(in: bytes)
        return VoteRecordSight(
            member: newest?.memberID, term: newest?.term ?? 0, vote: newest?.vote ?? .none,
            isBlank: bytes.allSatisfy { $0 == 0 })
    }

    private init(
        recalled: (UInt64, MemberID)?, isDamaged: Bool, file: IO.File, memberID: MemberID,
        number: UInt64
    ) {
        self.recalled = recalled
        self.isDamaged = isDamaged
        self.file = file
        self.memberID = memberID
        self.number = number
    }

    /// Makes the promise durable. After an error the file must not be used again.
    public mutating func store(term: UInt64, vote: MemberID) throws(StorageError) {
        number &+= 1
        var slot = ByteList()
        for word in [Self.magic, number, term, vote.rawValue, memberID.rawValue] { slot.add(word) }
        slot.add(CRC32C.of(slot.all))
        slot.all += [UInt8](repeating: 0, count: Self.slotBytes - slot.all.count)
        try file.write(slot.all, at: Int(number % 2) * Self.slotBytes)
        try file.sync()
        recalled = (term, vote)
    }

    private struct Slot {
        var number: UInt64
        var term: UInt64
        var vote: MemberID
        var memberID: MemberID
    }

    private static func newest(in bytes: [UInt8]) -> Slot? {
        [read(bytes, slot: 0), read(bytes, slot: 1)].compactMap { $0 }
            .max { SlotNumber.isLater($1.number, than: $0.number) }
    }

    private static func read(_ bytes: [UInt8], slot place: Int) -> Slot? {
        let start = place * slotBytes
        let end = start + payloadBytes + 4
        guard bytes.count >= end else { return nil }
        return bytes.withUnsafeBytes { bytes in
            let slot = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
            let payload = UnsafeRawBufferPointer(rebasing: slot[..<payloadBytes])
            // A number of the other slot is none of ours.
            guard slot.u64(0) == magic, slot.u32(payloadBytes) == CRC32C.of(payload),
                slot.u64(8) % 2 == UInt64(place)
            else { return nil }
            return Slot(
                number: slot.u64(8), term: slot.u64(16), vote: MemberID(slot.u64(24)),
                memberID: MemberID(slot.u64(32)))
        }
    }
}

/// What a `VoteRecord` says.
package struct VoteRecordSight: Equatable, Sendable {
    /// Whose it is; nil: nothing in it can be read.
    package var member: MemberID?
    package var term: UInt64
    package var vote: MemberID
    /// Nothing was ever promised.
    package var isBlank: Bool
}
