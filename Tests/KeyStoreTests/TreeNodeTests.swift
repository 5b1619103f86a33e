import Testing

@testable import KeyStore

/// A directory's B+tree by itself, against a sorted array.
@Suite struct TreeNodeTests {
    /// Distributions of names that the prefix and the heads have to cope with.
    enum Names: String, CaseIterable {
        case short, ascending, descending, longCommonPrefix, zeros, nested

        func name(_ number: Int, _ random: inout SplitMix64) -> [UInt8] {
            switch self {
            case .short: return (0...random.below(3)).map { _ in UInt8(random.below(4)) + 97 }
            case .ascending: return Array("n\(1_000_000 + number)".utf8)
            case .descending: return Array("n\(2_000_000 - number)".utf8)
            case .longCommonPrefix:
                let stem = String(repeating: "common/", count: 5).replacing("/", with: "-")
                return Array("\(stem)\(random.below(5_000))".utf8)
            case .zeros: return [1] + [UInt8](repeating: 0, count: random.below(40))
            case .nested:
                return Array(
                    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".utf8.prefix(1 + random.below(36)))
                    + [UInt8(random.below(3)) + 97]
            }
        }
    }

    @Test(arguments: Names.allCases)
    func holdsWhatASortedArrayHolds(_ kind: Names) throws {
        var random = SplitMix64(seed: 5)
        var root: TreeNode?
        var sorted: [[UInt8]] = []
        for step in 0..<6_000 {
            let name = kind.name(step, &random)
            // Grows for a while, then shrinks, twice.
            let grows = step % 3_000 < 1_800
            if grows ? random.chance(90) : random.chance(10) {
                try add(name, &root, &sorted)
            } else if let victim = sorted.isEmpty ? nil : random.pick(sorted) {
                try remove(victim, &root, &sorted)
            }
            if step % 200 == 0 { try check(root, sorted) }
        }
        while let victim = sorted.last { try remove(victim, &root, &sorted) }
        #expect(root == nil)
    }

    /// Every order of insertion and of removal of five names, in the narrowest nodes.
    @Test func everyOrderOfFew() throws {
        for order in permutations([0, 1, 2, 3, 4]) {
            for removal in permutations([0, 1, 2, 3, 4]) {
                var root: TreeNode?
                var sorted: [[UInt8]] = []
                for number in order { try add([UInt8(number)], &root, &sorted) }
                for number in removal {
                    try remove([UInt8(number)], &root, &sorted)
                    if sorted.count == 2 { try check(root, sorted) }
                }
                try check(root, [])
            }
        }
    }

    @Test func ascendingNamesFillTheirLeaves() throws {
        var root: TreeNode?
        for number in 0..<10_000 {
            Array("\(1_000_000 + number)".utf8).withUnsafeBytes { name in
                withUnsafeMutablePointer(to: &root) { TreeNode.insert(.bare(name: name), into: $0) }
            }
        }
        let node = try #require(root)
        try node.checkTree()
        #expect(leafCount(node) == 157)  // 10,000 / 64, rounded up
    }

    @Test func sharedNodesAreNotChanged() throws {
        var random = SplitMix64(seed: 9)
        var root: TreeNode?
        var sorted: [[UInt8]] = []
        var kept: [(TreeNode?, [[UInt8]])] = []
        for step in 0..<4_000 {
            let name = Names.longCommonPrefix.name(step, &random)
            if random.chance(60) || sorted.isEmpty {
                try add(name, &root, &sorted)
            } else {
                try remove(random.pick(sorted), &root, &sorted)
            }
            if step % 100 == 0 { kept.append((root, sorted)) }
        }
        for (root, sorted) in kept { try check(root, sorted) }
    }

    // MARK: - Support

    private func add(_ name: [UInt8], _ root: inout TreeNode?, _ sorted: inout [[UInt8]]) throws {
        let place = sorted.firstIndex { !$0.lexicographicallyPrecedes(name) } ?? sorted.count
        let isThere = place < sorted.count && sorted[place] == name
        let isFound = name.withUnsafeBytes { root?.item(named: $0) != nil }
        try #require(isFound == isThere)
        if isThere { return }
        sorted.insert(name, at: place)
        name.withUnsafeBytes { name in
            withUnsafeMutablePointer(to: &root) { TreeNode.insert(.bare(name: name), into: $0) }
        }
    }

    private func remove(
        _ name: [UInt8], _ root: inout TreeNode?, _ sorted: inout [[UInt8]]
    ) throws {
        sorted.removeAll { $0 == name }
        let removed = name.withUnsafeBytes { name in
            withUnsafeMutablePointer(to: &root) { TreeNode.remove(name, from: $0) }
        }
        let item = try #require(removed)
        try #require([UInt8](item.name) == name)
    }

    private func check(_ root: TreeNode?, _ sorted: [[UInt8]]) throws {
        try root?.checkTree()
        try #require((root?.allItems ?? []).map { [UInt8]($0.name) } == sorted)
    }

    private func leafCount(_ node: TreeNode) -> Int {
        node.isLeaf ? 1 : (0...node.count).reduce(0) { $0 + leafCount(node.children[$1]) }
    }

    private func permutations(_ numbers: [Int]) -> [[Int]] {
        if numbers.count < 2 { return [numbers] }
        return numbers.flatMap { first in
            permutations(numbers.filter { $0 != first }).map { [first] + $0 }
        }
    }
}
