import Glibc

/// The real disk. Stateless: copies are the same disk.
public struct PosixStorage: FileStorage {
    public init() {}

    public func open(_ path: String, for use: StorageUse) throws(StorageError) -> PosixFile {
        let flags: Int32 =
            switch use {
            case .reading: O_RDONLY
            case .updating: O_RDWR
            case .creating: O_RDWR | O_CREAT | O_EXCL
            case .creatingIfMissing: O_RDWR | O_CREAT
            case .replacing: O_RDWR | O_CREAT | O_TRUNC
            }
        let descriptor = try Posix.call(.open, path) {
            Int(Glibc.open(path, flags | O_CLOEXEC, 0o600))
        }
        return PosixFile(path: path, descriptor: Int32(descriptor))
    }

    public func kind(of path: String) throws(StorageError) -> StorageKind? {
        var status = stat()
        do throws(StorageError) {
            try Posix.call(.inspect, path) { Int(stat(path, &status)) }
        } catch  where error.isMissing {
            return nil
        }
        return switch status.st_mode & S_IFMT {
        case S_IFREG: .file
        case S_IFDIR: .directory
        default: .other
        }
    }

    public func list(_ directory: String) throws(StorageError) -> [String] {
        guard let stream = opendir(directory) else {
            throw StorageError(.list, directory, code: errno)
        }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            // readdir tells its end from an error by errno alone.
            errno = 0
            guard let entry = readdir(stream) else { break }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { raw in
                String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw StorageError(.list, directory, code: errno) }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    public func createDirectory(_ path: String) throws(StorageError) {
        try Posix.call(.createDirectory, path) { Int(mkdir(path, 0o700)) }
    }

    public func rename(_ source: String, to target: String) throws(StorageError) {
        try Posix.call(.rename, source) { Int(Glibc.rename(source, target)) }
    }

    public func remove(_ path: String) throws(StorageError) {
        try Posix.call(.remove, path) { Int(Glibc.remove(path)) }
    }

    public func syncDirectory(_ directory: String) throws(StorageError) {
        let descriptor = try Posix.call(.syncDirectory, directory) {
            Int(Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        }
        defer { close(Int32(descriptor)) }
        try Posix.call(.syncDirectory, directory) { Int(fsync(Int32(descriptor))) }
    }

    public func lock(_ path: String) throws(StorageError) -> PosixFile {
        let file = try open(path, for: .creatingIfMissing)
        do throws(StorageError) {
            try file.lockExclusively()
        } catch  where error.isLocked {
            var error = error
            error.lockHolder = Int32(
                String(decoding: try file.readAll().prefix { $0 != 0x0a }, as: UTF8.self))
            throw error
        }
        // The old holder's id must not show through behind a shorter one.
        try file.truncate(sizeBytes: 0)
        try file.write(Array("\(getpid())\n".utf8), at: 0)
        return file
    }

    public func bootID() throws(StorageError) -> BootID {
        let path = "/proc/sys/kernel/random/boot_id"
        let file = try open(path, for: .reading)
        // 8-4-4-4-12 hex digits; the file's size reads as 0.
        let text = try file.read(count: 64, at: 0)
        let digits = String(decoding: text, as: UTF8.self).filter(\.isHexDigit)
        guard digits.utf8.count == 32, let high = UInt64(digits.prefix(16), radix: 16),
            let low = UInt64(digits.suffix(16), radix: 16)
        else { throw StorageError(.bootID, path, code: EINVAL) }
        return BootID(high: high, low: low)
    }
}

/// The one place where a system call's result becomes an error, or is tried again on EINTR.
enum Posix {
    @discardableResult
    static func call(
        _ operation: StorageOperation, _ path: String, _ body: () -> Int
    ) throws(StorageError) -> Int {
        while true {
            let result = body()
            if result >= 0 { return result }
            let code = errno
            guard code == EINTR else { throw StorageError(operation, path, code: code) }
        }
    }

    /// For CKvd's functions, which return the errno itself.
    static func check(
        _ operation: StorageOperation, _ path: String, _ code: Int32
    ) throws(StorageError) {
        guard code == 0 else { throw StorageError(operation, path, code: code) }
    }
}
