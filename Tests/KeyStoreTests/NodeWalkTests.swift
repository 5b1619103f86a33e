import Testing

@testable import KeyStore

/// Walks that begin in the middle, against the rest of a whole walk.
@Suite struct NodeWalkTests {
    /// What a walk gives, with each node's path relative to where it began.
    private func steps(_ walk: NodeWalk, in entered: [Node] = []) -> [String] {
        var walk = walk
        var path = entered.map { "/" + name($0) }
        var lines: [String] = []
        while let step = walk.next() {
            switch step {
            case .file(let file): lines.append(path.joined() + "/" + name(file))
            case .open(let directory):
                path.append("/" + name(directory))
                lines.append(path.joined() + " open")
            case .close: lines.append((path.popLast() ?? "nothing is open") + " close")
            }
        }
        return lines
    }

    private func name(_ node: Node) -> String {
        node.withName { String(decoding: $0, as: UTF8.self) }
    }

    /// The steps behind the one that came to `path`.
    private func rest(_ all: [String], behind path: String) -> [String] {
        let place = all.firstIndex { $0 == path || $0 == path + " open" }
        return Array(all[((place ?? -1) + 1)...])
    }

    private func randomStore(seed: UInt64) throws -> Store {
        var random = SplitMix64(seed: seed)
        let store = Store()
        for number in 0..<1500 {
            let depth = 1 + random.below(4)
            let path = (0..<depth).map { _ in
                (random.chance(8) ? "/_" : "/") + "d\(random.below(6))"
            }.joined()
            // A wide directory too, so that its B+tree has levels.
            _ = try? store.set(random.chance(50) ? "/1/wide/n\(number)" : "/1" + path, "v")
        }
        return store
    }

    @Test(arguments: [true, false], [true, false])
    func beginsBehindAnyNode(isRecursive: Bool, skipsHidden: Bool) throws {
        let root = try randomStore(seed: 7).node("/1")
        let all = steps(root.walk(isRecursive: isRecursive, skipsHidden: skipsHidden))
        for line in all where !line.hasSuffix(" close") {
            let path = line.replacing(" open", with: "")
            let after = withBytes(path) { path in
                var entered: [Node] = []
                let walk = root.walk(
                    isRecursive: isRecursive, skipsHidden: skipsHidden, after: path,
                    entered: &entered)
                return steps(walk, in: entered)
            }
            // Not recursive, a directory's close belongs to its open.
            let expected = rest(all, behind: path)
            let isOpen = !isRecursive && line.hasSuffix(" open")
            #expect(after == (isOpen ? Array(expected.dropFirst()) : expected), "behind \(path)")
        }
        #expect(all.count > (isRecursive ? 700 : 10))
    }

    /// As if the node were still there.
    @Test func beginsWhereANodeWas() throws {
        let store = try randomStore(seed: 8)
        let all = steps(try store.node("/1").walk(isRecursive: true, skipsHidden: true))
        var count = 0
        for path in all where path.hasPrefix("/wide/") && path != "/wide close" {
            let expected = rest(all, behind: path)
            let changed = try randomStore(seed: 8)
            try changed.delete("/1" + path)
            let root = try changed.node("/1")
            let after = withBytes(path) { path in
                var entered: [Node] = []
                let walk = root.walk(
                    isRecursive: true, skipsHidden: true, after: path, entered: &entered)
                return steps(walk, in: entered)
            }
            #expect(after == expected)
            count += 1
            if count == 20 { break }
        }
        #expect(count == 20)
    }
}
