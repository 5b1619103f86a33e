@testable import KeyStore

struct BrokenInvariant: Error, CustomStringConvertible {
    let description: String
}

extension Tree {
    /// Everything that must hold of every directory's B+tree. Not recursive.
    func checkInvariants() throws {
        var pending = [root]
        while let directory = pending.popLast() {
            guard let content = directory.children else { continue }
            try content.checkTree()
            pending += content.allItems.filter(\.isDirectory)
        }
    }
}

extension TreeNode {
    var allItems: [Item] {
        if isLeaf { return (0..<count).map { items[$0] } }
        return (0...count).flatMap { children[$0].allItems }
    }

    /// Checks this node as the root of a directory's tree.
    func checkTree() throws {
        try require(count > 0, "an empty directory has no tree")
        try check(from: nil, to: nil, isRoot: true)
        let names = allItems.map { [UInt8]($0.name) }
        for (left, right) in zip(names, names.dropFirst()) {
            try require(left.lexicographicallyPrecedes(right), "names are in order")
        }
    }

    private func require(_ condition: Bool, _ what: String) throws {
        if !condition { throw BrokenInvariant(description: what) }
    }

    private func check(from low: [UInt8]?, to high: [UInt8]?, isRoot: Bool) throws {
        try require(!facts.pointee.isHollow, "a node in use is whole")
        try require(count > 0 && count <= width, "a node has 1 ... width names")
        try require(isRoot || width == Self.widthMax, "only a root may be narrow")
        let names = (0..<count).map { [UInt8](items[$0].name) }
        let prefix = Array(names[0].prefix(Int(facts.pointee.prefixCount)))
        for (index, name) in names.enumerated() {
            try require(name.starts(with: prefix), "all names have the prefix")
            var head: UInt64 = 0
            for place in 0..<8 {
                let byte = prefix.count + place < name.count ? name[prefix.count + place] : 0
                head = head << 8 | UInt64(byte)
            }
            try require(heads[index] == head, "heads are what follows the prefix")
            if let low { try require(!name.lexicographicallyPrecedes(low), "not before the left") }
            if let high { try require(name.lexicographicallyPrecedes(high), "before the right") }
            let (found, isFound) = items[index].name.withMemoryRebound(to: UInt8.self) { _ in
                position(of: items[index].name)
            }
            try require(isFound && found == index, "each name is found where it is")
        }
        if isLeaf { return }
        for index in 0...count {
            try require(children[index].level == level - 1, "all leaves are at one level")
            try children[index].check(
                from: index == 0 ? low : names[index - 1],
                to: index == count ? high : names[index], isRoot: false)
        }
    }
}
