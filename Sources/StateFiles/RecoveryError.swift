package import Storage
package import StorageIO

/// Why a member cannot start from what its data dir holds. The description says what to do.
package struct RecoveryError: Error, CustomStringConvertible {
    /// Who says so in the log: `etcdmain`, `etcdserver` or `wal`.
    package let label: String
    package let description: String
    /// The call to the disk that failed, if that was it.
    package let storage: StorageError?

    package init(_ label: String, _ description: String, storage: StorageError? = nil) {
        (self.label, self.description, self.storage) = (label, description, storage)
    }

    package init(_ error: WALError) {
        self.init("etcdserver", "\(error)", storage: error.storage)
    }

    /// Runs calls to the log.
    static func log<Result>(
        _ body: () throws(WALError) -> Result
    ) throws(RecoveryError) -> Result {
        do throws(WALError) { return try body() } catch { throw RecoveryError(error) }
    }

    /// Runs calls to the disk.
    package static func disk<Result: ~Copyable>(
        _ body: () throws(StorageError) -> Result
    ) throws(RecoveryError) -> Result {
        do throws(StorageError) { return try body() } catch {
            throw RecoveryError("etcdmain", "\(error)", storage: error)
        }
    }
}
