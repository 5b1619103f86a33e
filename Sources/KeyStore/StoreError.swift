/// Why the store refused a command. A refused command changed nothing and used no index, except
/// that it is counted in the statistics.
package struct StoreError: Error, Equatable, Sendable, CustomStringConvertible {
    package let code: ErrorCode
    /// What the code is about, mostly a store path (`/1/a`); the client port shows it without the
    /// `/1`. Bytes, since keys and values are.
    package let cause: [UInt8]
    /// The store's index when the command was refused.
    package let index: UInt64

    package init(_ code: ErrorCode, cause: [UInt8], index: UInt64) {
        self.code = code
        self.cause = cause
        self.index = index
    }

    init(_ code: ErrorCode, cause: Slice<UnsafeRawBufferPointer>, index: UInt64) {
        self.init(code, cause: [UInt8](cause), index: index)
    }

    package var description: String {
        let about = cause.isEmpty ? "" : " (\(String(decoding: cause, as: UTF8.self)))"
        return "\(code.rawValue) \(code.message)\(about) at index \(index)"
    }
}

/// The error codes of the v2 API with their messages (client-api.md §7). The store itself gives
/// 100, 101, 102, 104, 105, 107, 108 and 401; the others are for who stands before it.
package enum ErrorCode: UInt16, CaseIterable, Sendable {
    case keyNotFound = 100
    case compareFailed = 101
    case notFile = 102
    case tooManyPeers = 103
    case notDirectory = 104
    case nodeExists = 105
    case prefixIsKeyword = 106
    case rootReadOnly = 107
    case directoryNotEmpty = 108
    case peerAddressExists = 109
    case unauthorized = 110
    case valueRequired = 200
    case previousValueRequired = 201
    case ttlNotNumber = 202
    case indexNotNumber = 203
    case valueOrTTLRequired = 204
    case timeoutNotNumber = 205
    case nameRequired = 206
    case indexOrValueRequired = 207
    case indexValueMutex = 208
    case invalidField = 209
    case invalidForm = 210
    case refreshWithValue = 211
    case refreshWithoutTTL = 212
    case raftInternal = 300
    case leaderElection = 301
    case watcherCleared = 400
    case eventIndexCleared = 401
    case standbyInternal = 402
    case invalidActiveSize = 403
    case standbyRemoveDelay = 404
    case clientInternal = 500

    package var message: String {
        switch self {
        case .keyNotFound: "Key not found"
        case .compareFailed: "Compare failed"
        case .notFile: "Not a file"
        case .tooManyPeers: "Reached the max number of peers in the cluster"
        case .notDirectory: "Not a directory"
        case .nodeExists: "Key already exists"
        case .prefixIsKeyword: "The prefix of given key is a keyword in etcd"
        case .rootReadOnly: "Root is read only"
        case .directoryNotEmpty: "Directory not empty"
        case .peerAddressExists: "Peer address has existed"
        case .unauthorized: "The request requires user authentication"
        case .valueRequired: "Value is Required in POST form"
        case .previousValueRequired: "PrevValue is Required in POST form"
        case .ttlNotNumber: "The given TTL in POST form is not a number"
        case .indexNotNumber: "The given index in POST form is not a number"
        case .valueOrTTLRequired: "Value or TTL is required in POST form"
        case .timeoutNotNumber: "The given timeout in POST form is not a number"
        case .nameRequired: "Name is required in POST form"
        case .indexOrValueRequired: "Index or value is required"
        case .indexValueMutex: "Index and value cannot both be specified"
        case .invalidField: "Invalid field"
        case .invalidForm: "Invalid POST form"
        case .refreshWithValue: "Value provided on refresh"
        case .refreshWithoutTTL: "A TTL must be provided on refresh"
        case .raftInternal: "Raft Internal Error"
        case .leaderElection: "During Leader Election"
        case .watcherCleared: "watcher is cleared due to etcd recovery"
        case .eventIndexCleared: "The event in requested index is outdated and cleared"
        case .standbyInternal: "Standby Internal Error"
        case .invalidActiveSize: "Invalid active size"
        case .standbyRemoveDelay: "Standby remove delay"
        case .clientInternal: "Client Internal Error"
        }
    }
}
