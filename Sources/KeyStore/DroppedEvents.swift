/// What the history has dropped, in so far as somebody may ask for it: for each key the index of the
/// last event of it, of anything at or below it, and of its removal as a directory. So a watcher that
/// comes back late is refused only if it has really missed something.
///
/// One bounded table for each depth of the tree. Where a table has had to forget keys, it knows up to
/// which index it did (`floor`), and answers for those keys as if they had been touched then. Keys
/// are told apart by 64-bit hashes: two that share one can be refused for each other's events, and
/// never miss any.
///
///     /            below 900
///     /1           below 900
///     /1/config    below 17            asked for /1/config/db since 20: nothing, whatever the
///     /1/jobs      below 900           table of the next depth has forgotten
package struct DroppedEvents: Sendable {
    /// Elements of a path that are told apart; what lies deeper counts as the path cut there.
    package static let depthMax = 12
    /// Keys of one depth that are surely remembered; up to twice as many are.
    static let keysMax = 8192
    /// In a record that is read: of a member that may remember more, and of versions that added to what
    /// they had read without bounds.
    private static let recordKeysMax = 1 << 20

    /// About the keys of one depth.
    private(set) var levels: [DroppedLevel] = []
    private let keysMax: Int
    /// Of nothing up to this index is anything known.
    package let unknownThrough: UInt64

    init(unknownThrough: UInt64, keysMax: Int = Self.keysMax) {
        (self.unknownThrough, self.keysMax) = (unknownThrough, keysMax)
    }

    mutating func add(_ event: Event) {
        if event.isRefresh { return }
        let removes = event.removesDirectory
        PathHashes.visit(event.key, depthMax: Self.depthMax) { depth, hash, isEnd in
            if levels.count == depth { levels.append(DroppedLevel(keysMax: keysMax)) }
            levels[depth].note(
                hash, event.index, isExact: isEnd, isRemoval: isEnd && removes)
        }
    }

    /// Whether an event that a watcher of `path` asks for, from index `since` on, is among what was
    /// dropped. May be true without cause if very many keys were written to.
    func mayConcern(
        _ path: UnsafeRawBufferPointer, isRecursive: Bool, since: UInt64
    ) -> Bool {
        if unknownThrough >= since { return true }
        var verdict: Bool?
        PathHashes.visit(path, depthMax: Self.depthMax) { depth, hash, isEnd in
            guard verdict == nil else { return }
            guard depth < levels.count else {
                verdict = false
                return
            }
            let known = levels[depth].entry(hash)
            if known.below < since {
                verdict = false
            } else if known.removal >= since {
                verdict = true
            } else if isEnd {
                verdict = isRecursive || known.exact >= since
            }
        }
        // A path cut off at `depthMax`: something below is as much as is known.
        return verdict ?? true
    }
}

/// Of the keys of one depth.
struct DroppedLevel: Sendable {
    struct Entry: Equatable, Sendable {
        /// Of the key itself.
        var exact: UInt64 = 0
        /// At it or below.
        var below: UInt64 = 0
        /// Of the key, a directory.
        var removal: UInt64 = 0
    }

    private let keysMax: Int
    private var recent: [UInt64: Entry] = [:]
    /// Keys not seen since `recent` was begun; replaced by it when that is full.
    private var older: [UInt64: Entry] = [:]
    /// The last indices noted: in all, in `older`, and of what has been forgotten.
    private var last = Entry()
    private var lastOfOlder = Entry()
    private(set) var floor = Entry()

    init(keysMax: Int) { self.keysMax = keysMax }

    /// Read back from a snapshot. Where that has more keys than are remembered here, those that were
    /// touched last are.
    init(entries: [UInt64: Entry], floor: Entry, keysMax: Int) {
        (self.keysMax, self.floor) = (keysMax, floor)
        if entries.count <= keysMax {
            recent = entries
        } else {
            let newestFirst = entries.sorted {
                ($0.value.below, $0.key) > ($1.value.below, $1.key)
            }
            for (place, (key, entry)) in newestFirst.enumerated() {
                switch place / keysMax {
                case 0: recent[key] = entry
                case 1:
                    older[key] = entry
                    lastOfOlder = lastOfOlder.joined(entry)
                default: self.floor = self.floor.joined(entry)
                }
            }
        }
        last = self.floor
        for entry in entries.values { last = last.joined(entry) }
    }

    /// How many keys are remembered, 2 `keysMax` at most.
    var keyCount: Int { older.count + recent.keys.count { older[$0] == nil } }

    /// All that is known, by the hashes of the keys.
    var entries: [UInt64: Entry] { older.merging(recent) { _, new in new } }

    /// Indices come in ascending order.
    mutating func note(_ key: UInt64, _ index: UInt64, isExact: Bool, isRemoval: Bool) {
        let noted = Entry(
            exact: isExact ? index : 0, below: index, removal: isRemoval ? index : 0)
        last = last.joined(noted)
        if let place = recent.index(forKey: key) {
            recent.values[place] = recent.values[place].joined(noted)
            return
        }
        if recent.count == keysMax {
            floor = floor.joined(lastOfOlder)
            (older, lastOfOlder) = (recent, last)
            recent = [:]
        }
        recent[key] = (older[key] ?? floor).joined(noted)
    }

    func entry(_ key: UInt64) -> Entry { recent[key] ?? older[key] ?? floor }
}

extension DroppedLevel.Entry {
    func joined(_ other: Self) -> Self {
        Self(
            exact: max(exact, other.exact), below: max(below, other.below),
            removal: max(removal, other.removal))
    }
}

/// 64-bit hashes of a path and of all above it.
enum PathHashes {
    /// - Parameter body: gets each depth (0: the root) up to `depthMax`, the hash of the path down to
    ///   there, and whether that is all of the path.
    @inline(__always)
    static func visit(
        _ path: UnsafeRawBufferPointer, depthMax: Int, _ body: (Int, UInt64, Bool) -> Void
    ) {
        var components = PathComponents(path)
        var state = PathSignature.seed
        var depth = 0
        while true {
            body(depth, state, path.count == 1 || depth > 0 && components.isAtEnd)
            guard depth < depthMax, let component = components.next() else { return }
            state = PathSignature.absorb(component, into: state)
            depth += 1
        }
    }
}

// MARK: - In snapshots

extension DroppedEvents {
    /// What is known of one depth, as it goes into a snapshot.
    package struct Record: Equatable, Sendable {
        package struct Key: Equatable, Sendable {
            package var hash: UInt64
            package var exact, below, removal: UInt64

            package init(hash: UInt64, exact: UInt64, below: UInt64, removal: UInt64) {
                (self.hash, self.exact, self.below) = (hash, exact, below)
                self.removal = removal
            }
        }

        /// What counts for all keys that are not among `keys`; its hash is 0.
        package var floor: Key
        package var keys: [Key]

        package init(floor: Key, keys: [Key]) { (self.floor, self.keys) = (floor, keys) }
    }

    /// One for each depth, from the root down.
    package var records: [Record] {
        levels.map { level in
            let keys = level.entries.map { Record.Key(hash: $0.key, $0.value) }
            return Record(
                floor: Record.Key(hash: 0, level.floor), keys: keys.sorted { $0.hash < $1.hash })
        }
    }

    /// Nil if they cannot have been written by `records`.
    package init?(records: [Record], unknownThrough: UInt64, before oldest: UInt64) {
        guard records.count <= Self.depthMax + 1, unknownThrough < oldest else { return nil }
        self.init(unknownThrough: unknownThrough)
        for record in records {
            guard record.keys.count <= Self.recordKeysMax, record.floor.isPossible(before: oldest),
                record.keys.allSatisfy({ $0.isPossible(before: oldest) })
            else { return nil }
            let entries = record.keys.map { ($0.hash, $0.entry) }
            levels.append(
                DroppedLevel(
                    entries: Dictionary(entries) { $0.joined($1) }, floor: record.floor.entry,
                    keysMax: keysMax))
        }
    }

    /// The same, with no more memory than `keysMax` stands for.
    func limited(toKeys keysMax: Int) -> DroppedEvents {
        guard keysMax != self.keysMax else { return self }
        var limited = DroppedEvents(unknownThrough: unknownThrough, keysMax: keysMax)
        limited.levels = levels.map {
            DroppedLevel(entries: $0.entries, floor: $0.floor, keysMax: keysMax)
        }
        return limited
    }
}

extension DroppedEvents.Record.Key {
    fileprivate init(hash: UInt64, _ entry: DroppedLevel.Entry) {
        self.init(hash: hash, exact: entry.exact, below: entry.below, removal: entry.removal)
    }

    fileprivate var entry: DroppedLevel.Entry {
        DroppedLevel.Entry(exact: exact, below: below, removal: removal)
    }

    fileprivate func isPossible(before oldest: UInt64) -> Bool {
        exact <= below && removal <= below && below < oldest
    }
}
