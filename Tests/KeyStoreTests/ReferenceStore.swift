import KeyStore

/// The rules of client-api.md §4–§6 on a plain dictionary from path to entry, without a thought
/// for speed: what the store is compared with.
struct ReferenceStore {
    struct Entry: Equatable {
        /// Nil: a directory.
        var value: String?
        var created: UInt64
        var modified: UInt64
        var expiration: Int64 = 0
    }

    /// An event's node: as an entry, but a removed one has neither value nor expiration.
    struct Seen: Equatable {
        var isDirectory: Bool
        var value: String?
        var created: UInt64
        var modified: UInt64
        var expiration: Int64

        init(_ entry: Entry) {
            isDirectory = entry.value == nil
            value = entry.value
            created = entry.created
            modified = entry.modified
            expiration = entry.expiration
        }
    }

    struct Happening: Equatable {
        var action: Action
        var key: String
        var index: UInt64
        var node: Seen
        var previous: Seen?
        var isRefresh = false
        /// Paths that went with a removed directory.
        var removed: [String] = []

        /// What an event tells.
        var asTold: Happening {
            var told = self
            told.removed = []
            return told
        }
    }

    struct Refusal: Error, Equatable {
        var code: ErrorCode
        var cause: String
    }

    /// A request of any method; what its method does not know is ignored.
    struct Request {
        var method: Command.Method
        var path: String
        var value = ""
        var isDirectory = false
        var previousValue = ""
        var previousIndex: UInt64 = 0
        var previousExists: Bool?
        var expiration: Int64 = 0
        var isRefresh = false
        var isRecursive = false
        var time: Int64 = 0
    }

    var entries: [String: Entry] = [
        "/": Entry(value: nil, created: 0, modified: 0),
        "/0": Entry(value: nil, created: 0, modified: 0),
        "/1": Entry(value: nil, created: 0, modified: 0),
    ]
    var index: UInt64 = 0

    // MARK: - Requests

    mutating func apply(_ request: Request) -> Result<[Happening], Refusal> {
        do throws(Refusal) {
            switch request.method {
            case .put: return .success([try put(request)])
            case .post:
                let digits = String(index + 1)
                let name = String(repeating: "0", count: 20 - digits.count) + digits
                let path = request.path == "/" ? "/\(name)" : "\(request.path)/\(name)"
                return .success([try place(request, path, .create)])
            case .delete:
                if request.previousIndex > 0 || !request.previousValue.isEmpty {
                    let entry = try find(request.path)
                    try compare(entry, request)
                    return .success([remove(request.path, .compareAndDelete)])
                }
                return .success([try delete(request)])
            case .quorumGet:
                _ = try find(request.path)
                return .success([])
            case .sync: return .success(expire(request.time))
            }
        } catch {
            return .failure(error)
        }
    }

    private mutating func put(_ request: Request) throws(Refusal) -> Happening {
        let compares = request.previousIndex > 0 || !request.previousValue.isEmpty
        if request.previousExists == false { return try place(request, request.path, .create) }
        if request.previousExists == true || compares {
            try checkWritable(request.path)
            let entry = try find(request.path)
            if compares {
                try compare(entry, request)
            } else if entry.value == nil, !request.value.isEmpty {
                throw Refusal(code: .notFile, cause: request.path)
            }
            return change(entry, request, compares ? .compareAndSwap : .update)
        }
        try checkWritable(request.path)
        if request.isRefresh { _ = try find(request.path) }
        return try place(request, request.path, .set)
    }

    private func checkWritable(_ path: String) throws(Refusal) {
        if ["/", "/0", "/1"].contains(path) { throw Refusal(code: .rootReadOnly, cause: "/") }
    }

    private mutating func change(
        _ entry: Entry, _ request: Request, _ action: Action
    ) -> Happening {
        index += 1
        var new = entry
        new.expiration = request.expiration
        var seen = new
        seen.modified = index
        if entry.value != nil {
            if !request.isRefresh { new.value = request.value }
            new.modified = index
            seen = new
        }
        entries[request.path] = new
        return Happening(
            action: action, key: request.path, index: index, node: Seen(seen),
            previous: Seen(entry), isRefresh: request.isRefresh)
    }

    private mutating func place(
        _ request: Request, _ path: String, _ action: Action
    ) throws(Refusal) -> Happening {
        try checkWritable(path)
        let parents = Self.ancestors(of: path)
        for parent in parents where entries[parent]?.value != nil {
            throw Refusal(code: .notDirectory, cause: parent)
        }
        let old = entries[path]
        if let old {
            if action == .create { throw Refusal(code: .nodeExists, cause: path) }
            if old.value == nil { throw Refusal(code: .notFile, cause: path) }
        }
        index += 1
        for parent in parents where entries[parent] == nil {
            entries[parent] = Entry(value: nil, created: index, modified: index)
        }
        let keepsValue = request.isRefresh && action == .set
        let new = Entry(
            value: request.isDirectory ? nil : (keepsValue ? old?.value : request.value),
            created: index, modified: index,
            expiration: request.expiration < 946_684_800_000_000_000 ? 0 : request.expiration)
        entries[path] = new
        return Happening(
            action: action, key: path, index: index, node: Seen(new),
            previous: old.map { Seen($0) }, isRefresh: keepsValue)
    }

    private mutating func delete(_ request: Request) throws(Refusal) -> Happening {
        try checkWritable(request.path)
        let entry = try find(request.path)
        if entry.value == nil, !request.isRecursive {
            if !request.isDirectory { throw Refusal(code: .notFile, cause: request.path) }
            if !below(request.path).isEmpty {
                throw Refusal(code: .directoryNotEmpty, cause: request.path)
            }
        }
        return remove(request.path, .delete)
    }

    private mutating func remove(_ path: String, _ action: Action) -> Happening {
        index += 1
        guard let entry = entries[path] else { preconditionFailure("the caller found it") }
        let removed = entry.value == nil ? below(path) : []
        for path in removed + [path] { entries[path] = nil }
        var node = Seen(entry)
        node.value = nil
        node.expiration = 0
        node.modified = index
        node.isDirectory = entry.value == nil && action == .delete
        return Happening(
            action: action, key: path, index: index, node: node, previous: Seen(entry),
            removed: removed.sorted())
    }

    private mutating func expire(_ time: Int64) -> [Happening] {
        var happenings: [Happening] = []
        while true {
            let due = entries.filter { $0.value.expiration != 0 && $0.value.expiration <= time }
            let first = due.min {
                ($0.value.expiration, $0.key) < ($1.value.expiration, $1.key)
            }
            guard let first else { return happenings }
            happenings.append(remove(first.key, .expire))
        }
    }

    // MARK: - Looking

    func find(_ path: String) throws(Refusal) -> Entry {
        for ancestor in Self.ancestors(of: path) {
            guard let entry = entries[ancestor] else {
                throw Refusal(code: .keyNotFound, cause: ancestor)
            }
            if entry.value != nil { throw Refusal(code: .notDirectory, cause: ancestor) }
        }
        guard let entry = entries[path] else { throw Refusal(code: .keyNotFound, cause: path) }
        return entry
    }

    private func compare(_ entry: Entry, _ request: Request) throws(Refusal) {
        guard let value = entry.value else {
            throw Refusal(code: .notFile, cause: request.path)
        }
        var causes: [String] = []
        if !request.previousValue.isEmpty, request.previousValue != value {
            causes.append("[\(request.previousValue) != \(value)]")
        }
        if request.previousIndex > 0, request.previousIndex != entry.modified {
            causes.append("[\(request.previousIndex) != \(entry.modified)]")
        }
        if !causes.isEmpty {
            throw Refusal(code: .compareFailed, cause: causes.joined(separator: " "))
        }
    }

    /// `/a/b` has `/` and `/a`.
    static func ancestors(of path: String) -> [String] {
        if path == "/" { return [] }
        var ancestors = ["/"]
        var prefix = ""
        for component in path.split(separator: "/").dropLast() {
            prefix += "/\(component)"
            ancestors.append(prefix)
        }
        return ancestors
    }

    func below(_ path: String) -> [String] {
        entries.keys.filter { Self.isBelow($0, path) }
    }

    static func isBelow(_ path: String, _ ancestor: String) -> Bool {
        path != ancestor && path.hasPrefix(ancestor == "/" ? "/" : ancestor + "/")
    }
}

extension ReferenceStore {
    /// Who is told of a happening by the live rule.
    struct Watcher {
        var path: String
        var isRecursive: Bool
        var since: UInt64

        func isTold(_ happening: Happening) -> Bool {
            if happening.isRefresh || happening.index < since { return false }
            if happening.key == path || happening.removed.contains(path) { return true }
            guard isRecursive, isBelow(happening.key, path) else { return false }
            let rest = happening.key.dropFirst(path == "/" ? 0 : path.count)
            return !rest.split(separator: "/").contains { $0.hasPrefix("_") }
        }

        /// The rule for events of the past.
        func wouldHaveBeenTold(_ happening: Happening) -> Bool {
            if happening.isRefresh || happening.index < since { return false }
            if happening.key == path { return true }
            if isRecursive, isBelow(happening.key, path) { return true }
            let isRemovedDirectory =
                (happening.action == .delete || happening.action == .expire)
                && happening.previous?.value == nil
            return isRemovedDirectory && isBelow(path, happening.key)
        }
    }
}
