/// The only door to a disk. `PosixStorage` in production, `SimulatedStorage` in tests.
///
/// Everything that kvd keeps goes through the two protocols below, so that whatever a real disk
/// may do to us can be made to happen in a test: lost and torn writes, names that were never
/// there, rotten bits, full disks, errors on any call, power failing inside any call.
///
/// What may be relied on is the least that POSIX and a disk give, and the simulated one gives no
/// more:
/// - a `write` is durable once `sync()` of that file returns; before, each 512-byte sector that
///   it touched may be lost alone, in any order;
/// - a name created, renamed or removed is durable once `syncDirectory` of its directory returns;
///   a rename is all or nothing;
/// - after a failed `sync()` the file's contents are unknown: the caller closes it and stops. A
///   second `sync()` of the same file may succeed without having written anything;
/// - writes survive the death of the process (`kill -9`), only not that of the machine.
///
/// Data flow: `Storage` builds whole batches in its own memory and hands over a pointer; nothing
/// here copies, buffers or retries but for interrupted system calls and short writes.
public protocol FileStorage: Sendable {
    associatedtype File: StorageFile

    /// Opens `path` for this use. Files are created with mode 0600.
    func open(_ path: String, for use: StorageUse) throws(StorageError) -> File

    /// What `path` is, or nil if nothing is there.
    func kind(of path: String) throws(StorageError) -> StorageKind?

    /// The names in `directory`, sorted bytewise, without `.` and `..`.
    func list(_ directory: String) throws(StorageError) -> [String]

    /// Creates one directory with mode 0700. `EEXIST` if the name is taken.
    func createDirectory(_ path: String) throws(StorageError)

    /// Gives `source` the name `target`, in place of whatever had it.
    func rename(_ source: String, to target: String) throws(StorageError)

    /// Removes a file, or a directory that has nothing in it.
    func remove(_ path: String) throws(StorageError)

    /// Makes the names in `directory` durable.
    func syncDirectory(_ directory: String) throws(StorageError)

    /// Opens `path`, creating it if need be, locks it against every other process and other open
    /// file, and writes this process's id into it. The lock lasts as long as the returned file.
    ///
    /// Throws `EWOULDBLOCK` with `lockHolder` set if somebody else has the lock.
    func lock(_ path: String) throws(StorageError) -> File

    /// Tells one run of the machine from another: what was in the page cache and not on the
    /// disk survives for as long as this stays the same.
    func bootID() throws(StorageError) -> BootID
}

/// An open file. Closed when the last reference goes.
public protocol StorageFile: AnyObject, Sendable {
    var path: String { get }

    func sizeBytes() throws(StorageError) -> Int

    /// Fills `memory` from `offset` on; less than all of it only at the end of the file.
    func read(into memory: UnsafeMutableRawBufferPointer, at offset: Int) throws(StorageError)
        -> Int

    /// Writes all of `bytes` at `offset` or throws; after a throw any part of it may be there.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(StorageError)

    /// Makes the file at least `sizeBytes` long, new bytes reading as zeros, and reserves the
    /// blocks where the file system can.
    func preallocate(sizeBytes: Int) throws(StorageError)

    /// Cuts the file off at, or extends it with zeros to, `sizeBytes`.
    func truncate(sizeBytes: Int) throws(StorageError)

    /// Makes every byte written so far, and the size, durable (fdatasync).
    func sync() throws(StorageError)

    /// Locks the file as `FileStorage.lock` does, for as long as this file is open.
    func lockExclusively() throws(StorageError)

    /// The first `sizeBytes` of the file as memory shared with it: a store to it is a write,
    /// without a system call and without a moment of its own. The file must be that long.
    func map(sizeBytes: Int) throws(StorageError) -> MappedRegion
}

public enum StorageUse: Sendable {
    case reading
    /// Reading and writing of a file that is there.
    case updating
    /// As `updating`, of a file that must not be there yet.
    case creating
    /// As `updating`, whether it was there or not.
    case creatingIfMissing
    /// As `updating`, of a file that is empty afterwards, whatever was there.
    case replacing
}

public enum StorageKind: Sendable {
    case file
    case directory
    case other
}

/// A run of the machine, from its start to its stop.
public struct BootID: Hashable, Sendable {
    public var high: UInt64
    public var low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// Bytes of a file as memory. One thread at a time may store to it; the owner sees to that.
public final class MappedRegion: @unchecked Sendable {
    public let bytes: UnsafeMutableRawBufferPointer
    private let release: (UnsafeMutableRawBufferPointer) -> Void

    init(
        _ bytes: UnsafeMutableRawBufferPointer,
        release: @escaping (UnsafeMutableRawBufferPointer) -> Void
    ) {
        self.bytes = bytes
        self.release = release
    }

    deinit { release(bytes) }
}

extension StorageFile {
    /// `count` bytes from `offset` on, fewer only at the end of the file.
    public func read(count: Int, at offset: Int) throws(StorageError) -> [UInt8] {
        precondition(count >= 0 && offset >= 0)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
        defer { memory.deallocate() }
        let got = try read(into: memory, at: offset)
        return Array(memory[..<got])
    }

    /// The whole file.
    public func readAll() throws(StorageError) -> [UInt8] {
        try read(count: try sizeBytes(), at: 0)
    }

    public func write(_ bytes: [UInt8], at offset: Int) throws(StorageError) {
        // `withUnsafeBytes` rethrows untyped here, so the outcome travels as a value.
        let outcome = bytes.withUnsafeBytes { raw -> Result<Void, StorageError> in
            do throws(StorageError) { return .success(try write(raw, at: offset)) } catch {
                return .failure(error)
            }
        }
        try outcome.get()
    }
}
