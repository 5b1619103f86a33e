/// The watched paths as a trie of components, in one array: a place is a position in it. Children
/// are found through one hash table over (parent, component), and are chained for enumeration.
/// Places that are not needed any more are used again.
struct WatchTrie {
    typealias Place = Int

    static let root: Place = 0
    private static let none = -1

    private struct Entry {
        var parent: Place
        var name: [UInt8]
        var hash: Int
        var firstChild = none
        var nextSibling = none
        var previousSibling = none
    }

    private var entries = [Entry(parent: none, name: [], hash: 0)]
    private var free: [Place] = []
    /// Open addressing, linear probing; a power of two, at most half full.
    private var table: [Place] = Array(repeating: none, count: 16)
    private var usedCount = 0

    /// Places ever used; all are below it.
    var placesCount: Int { entries.count }

    // MARK: - Looking up

    func child(_ name: UnsafeRawBufferPointer, of parent: Place) -> Place? {
        if entries[parent].firstChild == Self.none { return nil }
        let place = table[probe(name, parent, Self.hash(name, parent))]
        return place == Self.none ? nil : place
    }

    func forEachChild(of parent: Place, _ body: (Place, UnsafeRawBufferPointer) -> Void) {
        var place = entries[parent].firstChild
        while place != Self.none {
            entries[place].name.withUnsafeBytes { body(place, $0) }
            place = entries[place].nextSibling
        }
    }

    /// The path whose place it is.
    func path(of place: Place) -> [UInt8] {
        var names: [[UInt8]] = []
        var place = place
        while place != Self.root {
            names.append(entries[place].name)
            place = entries[place].parent
        }
        guard !names.isEmpty else { return [StorePath.slash] }
        return names.reversed().flatMap { [StorePath.slash] + $0 }
    }

    /// Hash values differ from run to run, and nothing that can be seen depends on them.
    private static func hash(_ name: UnsafeRawBufferPointer, _ parent: Place) -> Int {
        var hasher = Hasher()
        hasher.combine(parent)
        hasher.combine(bytes: name)
        return hasher.finalize()
    }

    /// The table position of (parent, name), or the free one where it belongs.
    private func probe(_ name: UnsafeRawBufferPointer, _ parent: Place, _ hash: Int) -> Int {
        let mask = table.count - 1
        var position = hash & mask
        while table[position] != Self.none {
            let entry = entries[table[position]]
            if entry.hash == hash, entry.parent == parent,
                entry.name.withUnsafeBytes({ Bytes.equal($0, name) })
            {
                return position
            }
            position = (position + 1) & mask
        }
        return position
    }

    // MARK: - Changing

    /// The place of `path`, made with all above it if it is not there.
    mutating func makePlace(for path: UnsafeRawBufferPointer) -> Place {
        var components = PathComponents(path)
        var place = Self.root
        while let name = components.next() {
            place = child(name, of: place) ?? addChild(name, of: place)
        }
        return place
    }

    private mutating func addChild(_ name: UnsafeRawBufferPointer, of parent: Place) -> Place {
        if 2 * (usedCount + 1) > table.count { growTable() }
        let hash = Self.hash(name, parent)
        var entry = Entry(parent: parent, name: [UInt8](name), hash: hash)
        entry.nextSibling = entries[parent].firstChild
        let place = free.popLast() ?? entries.count
        if place == entries.count { entries.append(entry) } else { entries[place] = entry }
        if entry.nextSibling != Self.none { entries[entry.nextSibling].previousSibling = place }
        entries[parent].firstChild = place
        table[probe(name, parent, hash)] = place
        usedCount += 1
        return place
    }

    private mutating func growTable() {
        let places = table.filter { $0 != Self.none }
        table = Array(repeating: Self.none, count: table.count * 2)
        let mask = table.count - 1
        for place in places {
            var position = entries[place].hash & mask
            while table[position] != Self.none { position = (position + 1) & mask }
            table[position] = place
        }
    }

    /// Frees `place` if nothing is there, and then what is above it, as far as that holds.
    mutating func prune(_ place: Place, isUnused: (Place) -> Bool) {
        var place = place
        while place != Self.root, entries[place].firstChild == Self.none, isUnused(place) {
            let parent = entries[place].parent
            if parent == Self.none { return }  // freed before
            unlink(place)
            place = parent
        }
    }

    private mutating func unlink(_ place: Place) {
        let entry = entries[place]
        if entry.previousSibling == Self.none {
            entries[entry.parent].firstChild = entry.nextSibling
        } else {
            entries[entry.previousSibling].nextSibling = entry.nextSibling
        }
        if entry.nextSibling != Self.none {
            entries[entry.nextSibling].previousSibling = entry.previousSibling
        }
        removeFromTable(place)
        entries[place] = Entry(parent: Self.none, name: [], hash: 0)
        free.append(place)
        usedCount -= 1
    }

    /// Closes the gap, so that probing may go on stopping at the first free position.
    private mutating func removeFromTable(_ place: Place) {
        let mask = table.count - 1
        var gap = entries[place].hash & mask
        while table[gap] != place { gap = (gap + 1) & mask }
        var position = (gap + 1) & mask
        while table[position] != Self.none {
            let home = entries[table[position]].hash & mask
            // May move back to the gap unless its home lies between the two.
            if (position - home) & mask >= (position - gap) & mask {
                table[gap] = table[position]
                gap = position
            }
            position = (position + 1) & mask
        }
        table[gap] = Self.none
    }
}
