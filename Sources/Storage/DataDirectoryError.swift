public import StorageIO

/// Why a data dir cannot be used. Says what is wrong, where, and what the operator does.
public struct DataDirectoryError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: Equatable, Sendable {
        /// It holds a member and a proxy; etcd's words.
        case memberAndProxy
        /// It is a proxy's, and a member was to be started in it.
        case isProxy
        /// It is a member's, and a proxy was to be started in it.
        case isMember
        /// etcd 2.0.0 kept `wal` and `snap` at the top.
        case tooOld
        /// etcd 0.4's layout.
        case farTooOld
        case inUse(processID: Int32?)
        case notADirectory
        case storage(StorageError)
    }

    public var code: Code
    public var path: String

    public init(_ code: Code, path: String) {
        self.code = code
        self.path = path
    }

    public var description: String {
        if case .storage(let error) = code { return "data dir \(path): \(error)" }
        return "\(problem) \(advice)"
    }

    public var problem: String {
        switch code {
        case .memberAndProxy: "invalid datadir. Both member and proxy directories exist."
        case .isProxy: "data dir \(path) belongs to a proxy."
        case .isMember: "data dir \(path) belongs to a member."
        case .tooOld: "data dir \(path) has the layout of etcd 2.0.0."
        case .farTooOld: "data dir \(path) has the layout of etcd 0.4."
        case .inUse(let processID?): "data dir \(path) is in use by process \(processID)."
        case .inUse(nil): "data dir \(path) is in use by another process."
        case .notADirectory: "data dir \(path) is not a directory."
        case .storage(let error): error.problem
        }
    }

    /// What to do, in the imperative; tests check that every code has it.
    public var advice: String {
        switch code {
        case .memberAndProxy: "Move the one that is not wanted out of \(path)."
        case .isProxy: "Start with --proxy on, or choose another --data-dir."
        case .isMember: "Start without --proxy, or choose another --data-dir."
        case .tooOld: "Start etcd 2.0.1 to 2.3.8 on it once, which moves them into member/."
        case .farTooOld:
            "Start etcd 2.0.13 on it once, which migrates it, and take the directory that makes."
        case .inUse: "Stop that process, or choose another --data-dir."
        case .notADirectory: "Move it out of the way, or choose another --data-dir."
        case .storage(let error): error.advice
        }
    }
}
