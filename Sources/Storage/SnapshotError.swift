public import StorageIO

/// What is wrong with the bytes of a snapshot file.
public enum SnapshotDamage: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file is shorter than any snapshot, or does not begin like one.
    case notASnapshot
    case headerChecksum
    /// Of a later kvd.
    case version(UInt32)
    /// The trailer is not there, or not intact: the file was cut off.
    case noTrailer
    /// The trailer tells another length than the file has.
    case length(expected: UInt64, found: UInt64)
    /// liblz4 does not take it.
    case frame(String)
    case checksum(expected: UInt32, found: UInt32)
    case stateLength(expected: UInt64, found: UInt64)
    /// A snapshot of something else than what was announced.
    case otherSnapshot(term: UInt64, index: UInt64)

    public var description: String {
        switch self {
        case .notASnapshot: "it does not begin like a snapshot"
        case .headerChecksum: "the header does not match its checksum"
        case .version(let version): "its format is version \(version), of a later kvd"
        case .noTrailer: "its end is missing or damaged"
        case .length(let expected, let found):
            "it has \(found) bytes in front of its trailer instead of \(expected)"
        case .frame(let text): "the compressed state is damaged (\(text))"
        case .checksum(let expected, let found):
            "its bytes have the checksum \(String(found, radix: 16)) instead of "
                + String(expected, radix: 16)
        case .stateLength(let expected, let found):
            "the state has \(found) bytes instead of \(expected)"
        case .otherSnapshot(let term, let index):
            "it is the snapshot of index \(index), term \(term)"
        }
    }
}

/// Why a snapshot cannot be written or read.
public struct SnapshotError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: Equatable, Sendable {
        case damaged(SnapshotDamage)
        case storage(StorageError)
        /// It was written, and read back as something else: why.
        case readBack(String)
    }

    public var code: Code
    public var file: String
    public var offsetBytes: Int

    package init(_ code: Code, file: String, offsetBytes: Int = 0) {
        self.code = code
        self.file = file
        self.offsetBytes = offsetBytes
    }

    /// Whether what was written is damaged, so that another snapshot has to do.
    public var isDamage: Bool {
        guard case .damaged(let damage) = code else { return false }
        if case .version = damage { return false }
        return true
    }

    public var isOutOfSpace: Bool {
        guard case .storage(let error) = code else { return false }
        return error.isOutOfSpace
    }

    public var description: String {
        switch code {
        case .storage(let error): error.description
        case .readBack(let problem):
            "\(file) does not read back as it was written: \(problem). \(advice)"
        case .damaged(let damage): "\(file) at byte \(offsetBytes): \(damage). \(advice)"
        }
    }

    /// What to do, in the imperative.
    public var advice: String {
        switch code {
        case .storage(let error): error.advice
        case .readBack:
            "It is dropped; the older ones and the log behind them are kept, and another one is made "
                + "later. If this goes on, check this machine's memory and disk, and report it."
        case .damaged(.version): "Start the kvd that wrote it, or a newer one."
        case .damaged:
            "Use an older snapshot, a backup, or start this member with --rejoin to fetch the state "
                + "from its peers."
        }
    }

    /// Runs calls to the disk.
    static func catching<Result>(
        _ file: String, _ body: () throws(StorageError) -> Result
    ) throws(SnapshotError) -> Result {
        do throws(StorageError) { return try body() } catch {
            throw SnapshotError(.storage(error), file: file)
        }
    }
}
