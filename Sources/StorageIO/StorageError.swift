import CKvd
import Glibc

/// What was being done to a file when it failed.
public enum StorageOperation: String, Sendable, CaseIterable {
    case open
    case inspect
    case list
    case createDirectory = "create directory"
    case rename
    case remove
    case syncDirectory = "sync directory"
    case lock
    case read
    case write
    case preallocate
    case truncate
    case sync
    case map
    case bootID = "read the boot id from"
}

/// A call to the disk that failed: which one, on what, with which errno, and what to do.
public struct StorageError: Error, Equatable, Sendable, CustomStringConvertible {
    public var operation: StorageOperation
    public var path: String
    /// The errno.
    public var code: Int32
    /// The process that has the lock, where that was the trouble and it said so.
    public var lockHolder: Int32?
    /// What is wrong with the file's content, and what to do, where that was the trouble and not a call.
    public var explanation: String?

    public init(
        _ operation: StorageOperation, _ path: String, code: Int32, lockHolder: Int32? = nil
    ) {
        self.operation = operation
        self.path = path
        self.code = code
        self.lockHolder = lockHolder
    }

    public var isOutOfSpace: Bool { code == ENOSPC || code == EDQUOT }
    public var isLocked: Bool { operation == .lock && code == EWOULDBLOCK }
    public var isMissing: Bool { code == ENOENT }

    public var description: String {
        explanation ?? "cannot \(operation.rawValue) \(path): \(problem). \(advice)"
    }

    /// The errno's sentence and its C name.
    public var problem: String {
        if isLocked {
            guard let lockHolder else { return "another process is using it" }
            return "process \(lockHolder) is using it"
        }
        let name = kvd_errno_name(code).map { String(cString: $0) } ?? "errno \(code)"
        let text = kvd_errno_text(code).map { String(cString: $0) } ?? "unknown error"
        return "\(text) (\(name))"
    }

    /// One imperative sentence; tests check that every code has one.
    public var advice: String {
        switch code {
        case _ where isLocked:
            "Stop that process, or give this one a data dir of its own."
        case ENOSPC, EDQUOT:
            "Free space on that file system, or move the data dir to a bigger one."
        case EACCES, EPERM:
            "Give the user that runs kvd the rights to read, write and search it."
        case EROFS:
            "Mount the file system writable, or choose another data dir."
        case ENOENT:
            "Check the path, and restore what is missing if it was moved or deleted."
        case ENOTDIR, EISDIR, EEXIST, ENOTEMPTY, ELOOP, ENAMETOOLONG:
            "Check what lies at that path, and move it out of the way or choose another path."
        case EMFILE, ENFILE:
            "Raise the limit of open files (ulimit -n) and start kvd again."
        case EFBIG:
            "Raise the file size limit (ulimit -f), or choose another file system."
        case EIO, EUCLEAN, ENXIO, ENODEV, ESTALE:
            "Check the disk and the kernel's log, then restart kvd: it recovers by itself, or "
                + "says what was lost."
        default:
            "Check the disk and its mount, then restart kvd."
        }
    }
}
