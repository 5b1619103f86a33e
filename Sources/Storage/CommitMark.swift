public import RaftModel
public import StorageIO

/// What this member had applied, kept in a mapped file so that keeping it costs a few stores.
///
/// A plain read must not answer from a state older than what this member had shown before its
/// restart. The log does not know that exactly: a commit index alone is not synced. The mark is
/// exact as long as the machine goes on, because the page cache outlives a killed process.
/// After a power loss it may be older than the truth, and says so by its boot id.
///
/// Two slots of 512 bytes each, so that no torn sector takes both; written in turn, the one with
/// the later number and a valid crc counts. Integers little-endian.
///
///     0       8        16       24         32       40       48       56         64     68
///     +-------+--------+--------+----------+--------+--------+--------+----------+------+
///     | magic | number | commit | memberID | boot   | boot   | time   | sinceBoot| crc  |
///     | u64   | u64    | u64    | u64      | high   | low    | i64    | i64      | u32  |
///     +-------+--------+--------+----------+--------+--------+--------+----------+------+
///
/// - `number`: of the store, from 1 (`SlotNumber`). Slot 0 has the odd ones.
/// - `commit`: the index up to which entries were applied.
/// - `time`, `sinceBoot`: cluster time of the last SYNC entry applied, in nanoseconds since
///   1970, and the machine's CLOCK_BOOTTIME then, in nanoseconds.
/// - `crc`: CRC-32C of bytes 0 ..< 64.
public struct CommitMark: ~Copyable, Sendable {
    /// What the engine stores.
    public struct Values: Equatable, Sendable {
        public var commit: UInt64
        /// Cluster time of the last SYNC applied, in nanoseconds since 1970; 0: none yet.
        public var syncTimeNanoseconds: Int64
        /// `MachineClock.sinceBoot` when it was applied.
        public var syncedAt: Duration

        public init(commit: UInt64 = 0, syncTimeNanoseconds: Int64 = 0, syncedAt: Duration = .zero)
        {
            self.commit = commit
            self.syncTimeNanoseconds = syncTimeNanoseconds
            self.syncedAt = syncedAt
        }
    }

    /// What a restart may believe.
    public enum Recalled: Equatable, Sendable {
        /// The machine has not stopped since: these are the last values stored.
        case exact(Values)
        /// It has: these were stored at some time. `syncedAt` means nothing any more.
        case older(Values)
        /// No mark, a damaged one, or another member's.
        case unknown

        /// What was applied at the least: the log must reach as far. 0: nothing is known.
        public var applied: UInt64 {
            switch self {
            case .exact(let values), .older(let values): values.commit
            case .unknown: 0
            }
        }
    }

    static let slotBytes = 512
    static let fileBytes = 4096
    private static let magic: UInt64 = 0x6b64_6863_7472_616d
    private static let payloadBytes = 64

    /// What the last run of this member left, as of `open`.
    public let recalled: Recalled
    private let region: MappedRegion
    private let memberID: MemberID
    private let bootID: BootID
    private var number: UInt64

    /// Opens or makes the mark of `memberID` at `path` (`DataDirectory.markPath`).
    public static func open(
        _ path: String, storage: some FileStorage, memberID: MemberID
    ) throws(StorageError) -> CommitMark {
        let file = try storage.open(path, for: .creatingIfMissing)
        if try file.sizeBytes() < fileBytes {
            try file.truncate(sizeBytes: fileBytes)
            try file.sync()
        }
        let bootID = try storage.bootID()
        let region = try file.map(sizeBytes: fileBytes)
        let newest = Self.newest(in: UnsafeRawBufferPointer(region.bytes))
        var recalled = Recalled.unknown
        if let newest, newest.memberID == memberID {
            recalled = newest.bootID == bootID ? .exact(newest.values) : .older(newest.values)
        }
        return CommitMark(
            region: region, memberID: memberID, bootID: bootID, number: newest?.number ?? 0,
            recalled: recalled)
    }

    /// What the mark at `path` says, whoever's it is, for those who only look; nil: there is none.
    package static func look(
        at path: String, storage: some FileStorage
    ) throws(StorageError) -> CommitMarkSight? {
        guard try storage.kind(of: path) != nil else { return nil }
        let all = try storage.open(path, for: .reading).readAll()
        let newest = all.withUnsafeBytes { Self.newest(in: $0) }
        return CommitMarkSight(
            member: newest?.memberID, values: newest?.values ?? Values(),
            isBlank: all.allSatisfy { $0 == 0 })
    }

    private init(
        region: MappedRegion, memberID: MemberID, bootID: BootID, number: UInt64,
        recalled: Recalled
    ) {
        precondition(region.bytes.count == Self.fileBytes)
        self.region = region
        self.memberID = memberID
        self.bootID = bootID
        self.number = number
        self.recalled = recalled
    }

    /// Stores the values: no system call. On the engine's thread only.
    public mutating func store(_ values: Values) {
        number &+= 1
        let start = number % 2 == 1 ? 0 : Self.slotBytes
        let slot = UnsafeMutableRawBufferPointer(
            rebasing: region.bytes[start..<(start + Self.payloadBytes + 4)])
        let nanoseconds = Self.nanoseconds(values.syncedAt)
        let words = (
            Self.magic, number, values.commit, memberID.rawValue, bootID.high, bootID.low,
            UInt64(bitPattern: values.syncTimeNanoseconds), UInt64(bitPattern: nanoseconds)
        )
        withUnsafeBytes(of: words) { payload in
            precondition(payload.count == Self.payloadBytes)
            slot.copyMemory(from: payload)
            slot.storeBytes(
                of: CRC32C.of(payload), toByteOffset: Self.payloadBytes, as: UInt32.self)
        }
    }

    private struct Slot {
        var number: UInt64
        var memberID: MemberID
        var bootID: BootID
        var values: Values
    }

    private static func newest(in bytes: UnsafeRawBufferPointer) -> Slot? {
        (0..<2).filter { bytes.count >= ($0 + 1) * slotBytes }
            .compactMap { read(bytes, slot: $0) }.max {
                SlotNumber.isLater($1.number, than: $0.number)
            }
    }

    private static func read(_ bytes: UnsafeRawBufferPointer, slot: Int) -> Slot? {
        let start = slot * slotBytes
        let payload = UnsafeRawBufferPointer(rebasing: bytes[start..<(start + payloadBytes)])
        let crc = bytes.loadUnaligned(fromByteOffset: start + payloadBytes, as: UInt32.self)
        func word(_ i: Int) -> UInt64 {
            payload.loadUnaligned(fromByteOffset: 8 * i, as: UInt64.self)
        }
        // A number of the other slot is none of ours.
        guard word(0) == magic, crc == CRC32C.of(payload), word(1) % 2 == UInt64(1 - slot) else {
            return nil
        }
        return Slot(
            number: word(1), memberID: MemberID(word(3)),
            bootID: BootID(high: word(4), low: word(5)),
            values: Values(
                commit: word(2), syncTimeNanoseconds: Int64(bitPattern: word(6)),
                syncedAt: .nanoseconds(Int64(bitPattern: word(7)))))
    }

    private static func nanoseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}

/// What a `CommitMark` says.
package struct CommitMarkSight: Equatable, Sendable {
    /// Whose it is; nil: nothing in it can be read.
    package var member: MemberID?
    package var values: CommitMark.Values
    /// Nothing was ever stored.
    package var isBlank: Bool
}
