import Foundation
import Testing

@testable import KeyStore

/// Depths and sizes that a hostile client can make, and versions read while writes go on.
@Suite struct DeepAndSharedTests {
    /// Runs `body` on a thread with a stack of 128 KiB: whatever recurses by depth fails.
    private func onSmallStack(_ body: @escaping @Sendable () throws -> Void) throws {
        let done = DispatchSemaphore(value: 0)
        nonisolated(unsafe) var failure: (any Error)?
        let thread = Thread {
            do { try body() } catch { failure = error }
            done.signal()
        }
        thread.stackSize = 128 << 10
        thread.start()
        done.wait()
        if let failure { throw failure }
    }

    @Test func aPathOfAHundredThousandNames() throws {
        try onSmallStack {
            let deep = "/1" + String(repeating: "/d", count: 100_000)
            let store = Store()
            try store.set(deep, "bottom")
            #expect(try store.node(deep).withValue { [UInt8]($0) } == Array("bottom".utf8))
            let kept = store.tree
            _ = try store.watch(deep, 1)
            _ = try store.watch("/1", 2, recursive: true)
            try store.set(deep, "copied all the way", expiration: StoreText.start)
            #expect(store.takeNotifications().count == 2)
            var walk = store.image.walk()
            var depth = 0
            while walk.next() != nil { depth = max(depth, walk.depth) }
            #expect(depth == 100_000)
            let restored = Store(restoring: store.image)
            #expect(restored.expire(upTo: StoreText.start) == 1)
            try store.delete("/1/d", recursive: true)
            #expect(store.hasRemovedContent)
            _ = store.takeRemovedContent()
            #expect(kept.index == 1)
        }
    }

    @Test func removedContentIsHandedOut() throws {
        let store = Store()
        for number in 0..<1_000 { try store.set("/1/big/\(number)", "v") }
        try store.set("/1/small/k", "v")
        try store.delete("/1/small", recursive: true)
        #expect(!store.hasRemovedContent)
        weak var item: Item?
        item = try store.node("/1/big/7").item
        try store.delete("/1/big", recursive: true)
        #expect(store.hasRemovedContent && item != nil)
        func letGo() { #expect(!store.takeRemovedContent().isEmpty) }
        // The event of its making is in the history; the item goes when that goes.
        letGo()
        #expect(item != nil)
        #expect(!store.hasRemovedContent)
    }

    @Test func eventsDoNotKeepTheContentOfDirectories() throws {
        var options = Store.Options()
        options.historyEventsMax = 1
        let store = Store(options: options)
        for number in 0..<100 { try store.set("/1/d/\(number)", "v") }
        weak var item: Item?
        item = try store.node("/1/d/7").item
        let event = try store.delete("/1/d", recursive: true)
        _ = store.takeRemovedContent()
        #expect(item == nil)
        #expect(event.previousNode?.isDirectory == true)
    }

    /// Readers on other threads see a version whole, however much is written meanwhile. (Run with
    /// the thread sanitizer, this also shows that nothing they read is written to.)
    @Test func versionsAreReadWhileWritesGoOn() async throws {
        let store = Store()
        for number in 0..<2_000 { try store.set("/1/\(number % 40)/\(number)", "0") }
        var random = SplitMix64(seed: 1)
        for round in 1...10 {
            let tree = store.tree
            let total = 2_000
            async let first = Self.checksum(tree)
            async let second = Self.checksum(tree)
            for _ in 0..<1_000 {
                let number = random.below(total)
                try store.set("/1/\(number % 40)/\(number)", "\(round)")
                if random.chance(10) {
                    try store.delete("/1/\(number % 40)/\(number)")
                    try store.set("/1/\(number % 40)/\(number)", "\(round)")
                }
            }
            let sums = await (first, second)
            #expect(sums.0 == sums.1 && sums.0.files == total)
            #expect(sums.0.newest <= tree.index)
        }
    }

    private struct Checksum: Equatable {
        var files = 0
        var newest: UInt64 = 0
        var bytes = 0
    }

    private static func checksum(_ tree: Tree) async -> Checksum {
        var sum = Checksum()
        var walk = Node(item: tree.root).walk(isRecursive: true, skipsHidden: false)
        while let step = walk.next() {
            guard case .file(let file) = step else { continue }
            sum.files += 1
            sum.newest = max(sum.newest, file.modifiedIndex)
            sum.bytes += file.withValue { $0.reduce(0) { $0 + Int($1) } }
        }
        return sum
    }
}
