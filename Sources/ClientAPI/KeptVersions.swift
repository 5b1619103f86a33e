internal import KeyStore
internal import NIOPosix

/// Versions of the store that readers of pages go on with: the last few, each for a minute after
/// its last use. A version costs what has been written since then.
struct KeptVersions {
    static let countMax = 8
    static let restNanoseconds: Int64 = 60_000_000_000

    private var versions: [(tree: Tree, usedAt: Int64)] = []

    var isEmpty: Bool { versions.isEmpty }

    /// Keeps `tree` on. If there are too many, the one that was not used for the longest goes.
    mutating func keep(_ tree: Tree, now: Int64) {
        guard version(tree.index, now: now) == nil else { return }
        if versions.count == Self.countMax { drop(versions.count - 1) }
        versions.insert((tree, now), at: 0)
    }

    /// The version of the store's index `index`, if it is kept. This is a use of it.
    mutating func version(_ index: UInt64, now: Int64) -> Tree? {
        guard let place = versions.firstIndex(where: { $0.tree.index == index }) else { return nil }
        let found = versions.remove(at: place).tree
        versions.insert((found, now), at: 0)
        return found
    }

    mutating func dropUnused(now: Int64) {
        for place in versions.indices.reversed()
        where now - versions[place].usedAt >= Self.restNanoseconds {
            drop(place)
        }
    }

    private mutating func drop(_ place: Int) {
        let old = versions.remove(at: place).tree
        // Freeing what only that version had can take long.
        NIOThreadPool.singleton.submit { _ in withExtendedLifetime(old) {} }
    }
}
