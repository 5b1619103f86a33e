import Testing

@testable import KeyStore

@Suite struct ContentHashTests {
    /// Through random histories: what is kept is what the nodes add up to, and old versions keep
    /// theirs.
    @Test(arguments: Array(1...12) as [UInt64])
    func isWhatTheNodesAddUpTo(seed: UInt64) throws {
        var requests = RandomRequests(seed: seed)
        let store = Store()
        var views: [StoreImage] = []
        var hashes: [UInt64] = []
        for step in 0..<1500 {
            _ = Seen.apply(requests.next(index: store.currentIndex), to: store)
            let image = store.image
            if step % 5 == 0 {
                try #require(
                    image.contentHash == image.recomputedHash(), "seed \(seed), step \(step)")
                try #require(image.nodeCount == image.countedNodes, "seed \(seed), step \(step)")
            }
            if step % 100 == 0 {
                views.append(image)
                hashes.append(image.contentHash)
            }
        }
        for (view, hash) in zip(views, hashes) {
            #expect(view.contentHash == hash)
            #expect(view.recomputedHash() == hash)
        }
    }

    /// Fixed for ever: snapshots on disks carry it.
    @Test func goldenValues() throws {
        let store = Store()
        #expect(store.contentHash == 2_567_291_285_120_435_797)
        try store.set("/1/a", "hello")
        #expect(store.contentHash == 17_970_791_652_765_534_365)
        try store.set("/1/dir/sub/a-name-of-some-length", String(repeating: "x", count: 100))
        #expect(store.contentHash == 9_695_078_771_750_051_287)
        #expect(store.image.nodeCount == 6)
    }

    @Test func historyDoesNotMatterContentDoes() throws {
        let (a, b) = (Store(), Store())
        for name in ["x", "y", "z"] { try a.set("/1/d/\(name)", name) }
        for name in ["x", "y", "z"] { try b.set("/1/d/\(name)", name) }
        #expect(a.contentHash == b.contentHash)
        // Another write, and another one that takes it back; the index of the key that is left
        // alone is the same.
        try b.set("/1/other", "")
        #expect(a.contentHash != b.contentHash)
        try b.delete("/1/other")
        #expect(a.contentHash == b.contentHash)
    }

    /// Each single difference shows.
    @Test func everyPartCounts() throws {
        func hash(
            _ path: String, _ value: String, _ created: UInt64 = 1, _ modified: UInt64 = 2,
            _ expiration: Int64 = 0, isDirectory: Bool = false
        ) -> UInt64 {
            let stamp = Item.Stamp(
                createdIndex: created, modifiedIndex: modified, expiration: expiration)
            return withBytes(path) { path in
                withBytes(value) { value in
                    let item: Item =
                        isDirectory
                        ? .directory(name: StorePath.name(path), stamp)
                        : .file(name: StorePath.name(path), value: value, stamp)
                    return ContentHash.of(item, at: path)
                }
            }
        }
        let variants = [
            hash("/1/a", ""), hash("/1/b", ""), hash("/1/a/b", ""), hash("/1/a", "\0"),
            hash("/1/a", "\0\0"), hash("/1/a", "v"), hash("/1/a\0", ""), hash("/1/av", ""),
            hash("/1/a", "", 2, 1), hash("/1/a", "", 1, 3), hash("/1/a", "", 1, 2, 1),
            hash("/1/a", "", 1, 2, 0, isDirectory: true),
        ]
        #expect(Set(variants).count == variants.count)
        // One bit of a long value, wherever it is.
        let value = [UInt8](repeating: 7, count: 75)
        var hashes: Set<UInt64> = []
        for bit in 0..<value.count * 8 {
            var changed = value
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            hashes.insert(hash("/1/a", String(decoding: changed.map { $0 & 0x7f }, as: UTF8.self)))
        }
        #expect(hashes.count > value.count * 7)
    }

    @Test func deepTreesAndRemovedDirectories() throws {
        let store = Store()
        let before = store.contentHash
        var path = "/1"
        for level in 0..<3000 { path += "/\(level)" }
        try store.set(path, "at the bottom")
        for number in 0..<500 { try store.set("/1/0/many/\(number)", "\(number)") }
        #expect(store.contentHash == store.image.recomputedHash())
        #expect(store.image.nodeCount == 2 + 3000 + 501)
        let kept = store.image
        try store.delete("/1/0", recursive: true)
        #expect(store.contentHash == before)
        #expect(store.image.nodeCount == 2)
        #expect(kept.contentHash == kept.recomputedHash())
    }
}

extension StoreImage {
    var countedNodes: Int {
        var walk = walk()
        var count = 0
        while let step = walk.next() {
            switch step {
            case .file, .open: count += 1
            case .close: break
            }
        }
        return count
    }
}
