import Glibc
import Synchronization

/// A file of a `SimulatedStorage`. Of no use (`EBADF`) once its process was killed.
public final class SimulatedFile: StorageFile {
    public let path: String
    private let storage: SimulatedStorage
    private let id: Int
    private let epoch: Int

    init(storage: SimulatedStorage, path: String, id: Int, epoch: Int) {
        self.storage = storage
        self.path = path
        self.id = id
        self.epoch = epoch
    }

    deinit {
        storage.disk.withLock { disk in
            if ownsLock, disk.epoch == epoch { disk.nodes[id].isLocked = false }
        }
    }

    /// Only this file's opener locks it, before the file is seen by another thread.
    nonisolated(unsafe) private var ownsLock = false

    public func sizeBytes() throws(StorageError) -> Int {
        try perform(.inspect) { disk throws(StorageError) in disk.nodes[id].cached.count }
    }

    public func read(
        into memory: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(StorageError) -> Int {
        nonisolated(unsafe) let memory = memory
        return try perform(.read, at: offset, count: memory.count) { disk throws(StorageError) in
            disk.foldMapping(id)
            let bytes = disk.nodes[id].cached
            guard offset < bytes.count else { return 0 }
            let end = min(bytes.count, offset + memory.count)
            memory.copyBytes(from: bytes[offset..<end])
            return end - offset
        }
    }

    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(StorageError) {
        nonisolated(unsafe) let bytes = bytes
        let call = StorageCall(operation: .write, path: path, offset: offset, count: bytes.count)
        try storage.disk.withLock { disk throws(StorageError) in
            let failure = try admit(call, &disk)
            try disk.reserve(offset + bytes.count, for: id, call)
            guard let failure else { return disk.write(bytes, to: id, at: offset) }
            let part = UnsafeRawBufferPointer(
                rebasing: bytes[..<disk.random.below(bytes.count + 1)])
            // Power failing may have let all of it through: the crash then picks sectors.
            disk.write(failure.isPowerFailure ? bytes : part, to: id, at: offset)
            throw failure.error
        }
    }

    public func preallocate(sizeBytes: Int) throws(StorageError) {
        try perform(.preallocate, count: sizeBytes) { disk throws(StorageError) in
            let call = StorageCall(
                operation: .preallocate, path: path, offset: 0, count: sizeBytes)
            try disk.reserve(sizeBytes, for: id, call)
            if disk.nodes[id].cached.count < sizeBytes { disk.resize(id, to: sizeBytes) }
        }
    }

    public func truncate(sizeBytes: Int) throws(StorageError) {
        try perform(.truncate, count: sizeBytes) { disk throws(StorageError) in
            disk.resize(id, to: sizeBytes)
        }
    }

    public func sync() throws(StorageError) {
        let call = StorageCall(operation: .sync, path: path, offset: 0, count: 0)
        try storage.disk.withLock { disk throws(StorageError) in
            guard let failure = try admit(call, &disk) else {
                return disk.sync(id, losing: false)
            }
            if failure.isLie { return }
            if !failure.isPowerFailure {
                disk.sync(id, losing: true)
            } else if disk.random.coin() {
                disk.sync(id, losing: false)
            }
            throw failure.error
        }
    }

    public func lockExclusively() throws(StorageError) {
        try perform(.lock) { disk throws(StorageError) in
            guard !disk.nodes[id].isLocked else {
                throw StorageError(.lock, path, code: EWOULDBLOCK)
            }
            disk.nodes[id].isLocked = true
        }
        ownsLock = true
    }

    public func map(sizeBytes: Int) throws(StorageError) -> MappedRegion {
        try perform(.map, count: sizeBytes) { disk throws(StorageError) in
            guard disk.nodes[id].cached.count >= sizeBytes, sizeBytes > 0 else {
                throw StorageError(.map, path, code: EINVAL)
            }
            let memory = UnsafeMutableRawBufferPointer.allocate(
                byteCount: sizeBytes, alignment: 4096)
            memory.copyBytes(from: disk.nodes[id].cached[..<sizeBytes])
            let region = MappedRegion(memory) { $0.deallocate() }
            disk.nodes[id].mapping = region
            return region
        }
    }

    private func admit(
        _ call: StorageCall, _ disk: inout SimulatedDisk
    ) throws(StorageError) -> SimulatedDisk.Failure? {
        let failure = disk.admit(call)
        guard disk.epoch == epoch else {
            throw failure?.error ?? StorageError(call.operation, path, code: EBADF)
        }
        return failure
    }

    private func perform<Result: Sendable>(
        _ operation: StorageOperation, at offset: Int = 0, count: Int = 0,
        _ effect: (inout SimulatedDisk) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        let call = StorageCall(operation: operation, path: path, offset: offset, count: count)
        return try storage.disk.withLock { disk throws(StorageError) in
            guard let failure = try admit(call, &disk) else { return try effect(&disk) }
            if failure.isPowerFailure, disk.random.coin() { _ = try effect(&disk) }
            throw failure.error
        }
    }
}
