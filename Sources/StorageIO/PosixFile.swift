import CKvd
import Glibc

/// A file of the real disk. Any thread may call it; pread and pwrite keep no position.
public final class PosixFile: StorageFile {
    public let path: String
    let descriptor: Int32

    init(path: String, descriptor: Int32) {
        precondition(descriptor >= 0)
        self.path = path
        self.descriptor = descriptor
    }

    // What close() would report was already reported by sync(), or was never promised.
    deinit { close(descriptor) }

    public func sizeBytes() throws(StorageError) -> Int {
        var status = stat()
        try Posix.call(.inspect, path) { Int(fstat(descriptor, &status)) }
        return Int(status.st_size)
    }

    public func read(
        into memory: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(StorageError) -> Int {
        precondition(offset >= 0)
        var done = 0
        while done < memory.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: memory[done...])
            let count = try Posix.call(.read, path) {
                pread(descriptor, rest.baseAddress, rest.count, offset + done)
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(StorageError) {
        precondition(offset >= 0)
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = try Posix.call(.write, path) {
                pwrite(descriptor, rest.baseAddress, rest.count, offset + done)
            }
            // A write that takes nothing and gives no errno would be asked forever.
            guard count > 0 else { throw StorageError(.write, path, code: EIO) }
            done += count
        }
    }

    public func preallocate(sizeBytes: Int) throws(StorageError) {
        precondition(sizeBytes > 0)
        try Posix.check(.preallocate, path, kvd_preallocate(descriptor, Int64(sizeBytes)))
    }

    public func truncate(sizeBytes: Int) throws(StorageError) {
        precondition(sizeBytes >= 0)
        try Posix.call(.truncate, path) { Int(ftruncate(descriptor, sizeBytes)) }
    }

    public func sync() throws(StorageError) {
        try Posix.call(.sync, path) { Int(fdatasync(descriptor)) }
    }

    public func lockExclusively() throws(StorageError) {
        try Posix.check(.lock, path, kvd_lock_exclusive(descriptor))
    }

    public func map(sizeBytes: Int) throws(StorageError) -> MappedRegion {
        // A store past the end of a mapped file kills the process with SIGBUS.
        guard try self.sizeBytes() >= sizeBytes, sizeBytes > 0 else {
            throw StorageError(.map, path, code: EINVAL)
        }
        let address = mmap(nil, sizeBytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        guard let address, address != MAP_FAILED else {
            throw StorageError(.map, path, code: errno)
        }
        let bytes = UnsafeMutableRawBufferPointer(start: address, count: sizeBytes)
        return MappedRegion(bytes) { munmap($0.baseAddress, $0.count) }
    }
}
