import Glibc
import Synchronization

/// A disk in memory that lies as far as POSIX permits, and fails on demand.
///
/// What it does to its user (the contract of `FileStorage`, taken at its word):
/// - `crash()`: power loss. Of each file's unsynced 512-byte sectors, of its unsynced growth and
///   of each directory's unsynced names, any subset is kept, by coins.
/// - `killProcess()`: `kill -9`. Nothing written is lost; open files and locks are gone.
/// - `inject(_:)`: an errno, or power failing, at the n-th call of a kind.
/// - `capacityBytes`: `ENOSPC` once all files together would be bigger.
/// - `flipBit`: rot.
///
/// Deterministic: the seed and the calls decide everything. Any thread may call it.
public final class SimulatedStorage: FileStorage {
    let disk: Mutex<SimulatedDisk>

    public init(seed: UInt64) {
        disk = Mutex(SimulatedDisk(seed: seed))
    }

    private init(_ disk: sending SimulatedDisk) { self.disk = Mutex(disk) }

    // MARK: The world's side

    /// Calls `body` before every call with a copy of the disk as it is then, without faults, for
    /// a test to break; nil: no more. The copy's coins fall as `seed` and the call's number say.
    /// `body` must not touch this disk itself.
    public func observeCalls(
        seed: UInt64, _ body: (@Sendable (StorageCall, SimulatedStorage) -> Void)?
    ) {
        disk.withLock { disk in
            guard let body else {
                disk.observer = nil
                return
            }
            disk.observer = { call, now in
                var copy = now
                copy.observer = nil
                copy.faults = []
                copy.trace = nil
                copy.random = SplitMix64(seed: seed &+ UInt64(copy.callCount) &* 0x9e37)
                body(call, SimulatedStorage(copy))
            }
        }
    }

    /// What survives a crash of what was not synced.
    public enum Survivors: Sendable {
        /// A coin decides on each sector, each name and the size.
        case any
        case nothing
        case everything
    }

    /// Power fails and comes back.
    public func crash(keeping survivors: Survivors = .any) {
        disk.withLock { $0.crash(keeping: survivors) }
    }

    /// The process dies and the machine goes on.
    public func killProcess() { disk.withLock { $0.killProcess() } }

    public func inject(_ fault: StorageFault) { disk.withLock { $0.faults.append((fault, 0)) } }

    public func removeFaults() { disk.withLock { $0.faults = [] } }

    /// Calls made so far, failed ones included.
    public var callCount: Int { disk.withLock { $0.callCount } }

    /// Power failed inside a call, and `crash()` has not brought the machine back yet.
    public var isPoweredOff: Bool { disk.withLock { !$0.isUp } }

    /// What all files with a name take.
    public var usedBytes: Int { disk.withLock { $0.usedBytes } }

    /// The calls made since this was set, or nil: not kept.
    public var trace: [StorageCall]? {
        get { disk.withLock { $0.trace } }
        set { disk.withLock { $0.trace = newValue } }
    }

    /// The bytes that all files together may have; nil: no bound.
    public var capacityBytes: Int? {
        get { disk.withLock { $0.capacityBytes } }
        set { disk.withLock { $0.capacityBytes = newValue } }
    }

    /// Turns over one bit of a file, on the disk and in the cache. Not a call.
    public func flipBit(_ bit: Int, ofByte offset: Int, in path: String) {
        precondition((0..<8).contains(bit))
        var bytes = contents(of: path)
        bytes[offset] ^= 1 << UInt8(bit)
        replaceContents(of: path, with: bytes)
    }

    /// The file is gone from the disk, whoever syncs what. Not a call.
    public func loseFile(_ path: String) { disk.withLock { $0.loseFile(path) } }

    /// A file's bytes as a reader would see them now. Not a call.
    public func contents(of path: String) -> [UInt8] {
        disk.withLock { disk in
            guard let id = disk.find(path) else { preconditionFailure("no file \(path)") }
            disk.foldMapping(id)
            return disk.nodes[id].cached
        }
    }

    /// Gives a file these bytes, durable, and creates it (and its name, durably) if need be. Not
    /// a call.
    public func replaceContents(of path: String, with bytes: [UInt8]) {
        disk.withLock { disk in
            let id = disk.find(path) ?? disk.createDurably(path)
            disk.nodes[id].cached = bytes
            disk.nodes[id].durable = bytes
            disk.nodes[id].dirty = []
        }
    }

    // MARK: FileStorage

    public func open(_ path: String, for use: StorageUse) throws(StorageError) -> SimulatedFile {
        let (id, epoch) = try perform(.open, path) { disk throws(StorageError) in
            (try disk.open(path, for: use), disk.epoch)
        }
        // Not inside: a file that is thrown away takes the lock once more.
        return SimulatedFile(storage: self, path: path, id: id, epoch: epoch)
    }

    public func kind(of path: String) throws(StorageError) -> StorageKind? {
        try perform(.inspect, path) { disk throws(StorageError) in
            disk.find(path).map { disk.nodes[$0].isDirectory ? .directory : .file }
        }
    }

    public func list(_ directory: String) throws(StorageError) -> [String] {
        try perform(.list, directory) { disk throws(StorageError) in
            let id = try disk.directory(directory, .list)
            return disk.nodes[id].names.keys.sorted {
                $0.utf8.lexicographicallyPrecedes($1.utf8)
            }
        }
    }

    public func createDirectory(_ path: String) throws(StorageError) {
        try perform(.createDirectory, path) { disk throws(StorageError) in
            let (parent, name) = try disk.parent(of: path, .createDirectory)
            guard disk.nodes[parent].names[name] == nil else {
                throw StorageError(.createDirectory, path, code: EEXIST)
            }
            disk.link(name, to: disk.newNode(isDirectory: true), in: parent)
        }
    }

    public func rename(_ source: String, to target: String) throws(StorageError) {
        try perform(.rename, source) { disk throws(StorageError) in
            try disk.rename(source, to: target)
        }
    }

    public func remove(_ path: String) throws(StorageError) {
        try perform(.remove, path) { disk throws(StorageError) in
            let (parent, name) = try disk.parent(of: path, .remove)
            guard let id = disk.nodes[parent].names[name] else {
                throw StorageError(.remove, path, code: ENOENT)
            }
            guard disk.nodes[id].names.isEmpty else {
                throw StorageError(.remove, path, code: ENOTEMPTY)
            }
            disk.nodes[parent].names[name] = nil
            disk.nodes[parent].pendingNames.append(.remove(name))
        }
    }

    public func syncDirectory(_ directory: String) throws(StorageError) {
        let call = StorageCall(
            operation: .syncDirectory, path: directory, offset: 0, count: 0)
        try disk.withLock { disk throws(StorageError) in
            let failure = disk.admit(call)
            if failure?.isLie == true { return }
            if let failure, !failure.isPowerFailure || disk.random.coin() { throw failure.error }
            try disk.syncNames(of: directory)
            if let failure { throw failure.error }
        }
    }

    public func lock(_ path: String) throws(StorageError) -> SimulatedFile {
        let file = try open(path, for: .creatingIfMissing)
        do throws(StorageError) {
            try file.lockExclusively()
        } catch  where error.isLocked {
            var error = error
            error.lockHolder = Self.processID
            throw error
        }
        try file.write(Array("\(Self.processID)\n".utf8), at: 0)
        return file
    }

    /// The process that all users of a simulated disk live in.
    public static let processID: Int32 = 4242

    public func bootID() throws(StorageError) -> BootID {
        try perform(.bootID, "/proc/sys/kernel/random/boot_id") { disk throws(StorageError) in
            disk.bootID
        }
    }

    /// Counts and traces a call, lets a fault have it, and carries it out.
    func perform<Result: Sendable>(
        _ operation: StorageOperation, _ path: String,
        _ effect: (inout SimulatedDisk) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        let call = StorageCall(operation: operation, path: path, offset: 0, count: 0)
        return try disk.withLock { disk throws(StorageError) in
            guard let failure = disk.admit(call) else { return try effect(&disk) }
            // Power failed inside the call: before what it does, or after.
            if failure.isPowerFailure, disk.random.coin() { _ = try effect(&disk) }
            throw failure.error
        }
    }
}
