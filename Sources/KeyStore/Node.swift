/// What an answer says of a node beside its key and value.
package struct NodeAttributes: Equatable, Sendable {
    package var isDirectory: Bool
    /// Files only, and not where the node says what has been removed. A file's value may be empty
    /// and is then still part of the answer.
    package var hasValue: Bool
    /// 0 for `/`, `/0` and `/1`: left out of an answer.
    package var createdIndex: UInt64
    package var modifiedIndex: UInt64
    /// Unix nanoseconds; 0: permanent.
    package var expiration: Int64

    package init(
        isDirectory: Bool, hasValue: Bool, createdIndex: UInt64, modifiedIndex: UInt64,
        expiration: Int64
    ) {
        (self.isDirectory, self.hasValue) = (isDirectory, hasValue)
        (self.createdIndex, self.modifiedIndex) = (createdIndex, modifiedIndex)
        self.expiration = expiration
    }

    package var isPermanent: Bool { expiration == 0 }
}

/// A file or directory as a read found it, with all that is below it, unchanging. It refers to
/// the tree's own memory: holding one makes later writes near it copy a few nodes, and holding a
/// directory keeps its content in memory.
///
/// `@unchecked Sendable` for the reason given at `Tree`.
package struct Node: @unchecked Sendable {
    let item: Item

    package var isDirectory: Bool { item.isDirectory }
    package var createdIndex: UInt64 { item.createdIndex }
    package var modifiedIndex: UInt64 { item.modifiedIndex }
    /// Unix nanoseconds; 0: permanent.
    package var expiration: Int64 { item.expiration }
    package var valueBytesCount: Int { item.valueCount }

    package var attributes: NodeAttributes {
        NodeAttributes(
            isDirectory: isDirectory, hasValue: !isDirectory, createdIndex: createdIndex,
            modifiedIndex: modifiedIndex, expiration: expiration)
    }

    /// Left out of listings, with all below: the name starts with `_`.
    package var isHidden: Bool { item.name.first == StorePath.underscore }

    /// A directory that has no content, hidden or not.
    package var isEmptyDirectory: Bool { item.isDirectory && item.children == nil }

    /// The last component of the node's key; empty for the root. The bytes are valid inside
    /// `body` only.
    package func withName<R, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        defer { withExtendedLifetime(item) {} }
        return try body(item.name)
    }

    /// A file's value; nothing for a directory. The bytes are valid inside `body` only.
    package func withValue<R, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        defer { withExtendedLifetime(item) {} }
        return try body(item.value)
    }

    /// Everything below this node, names in byte order.
    ///
    /// - Parameters:
    ///   - isRecursive: go into directories; else only this node's own children are given.
    ///   - skipsHidden: leave out hidden nodes and all below them. This node itself is not asked.
    package func walk(isRecursive: Bool, skipsHidden: Bool) -> NodeWalk {
        NodeWalk(self, isRecursive: isRecursive, skipsHidden: skipsHidden)
    }

    /// As `walk`, behind a node that an earlier walk came to; it need not exist any more.
    ///
    /// - Parameters:
    ///   - path: relative to this node: `/a/b` is `b` in its directory `a`. Clean (`isClean`).
    ///   - entered: gets the directories on the way there, outermost first: for each, the walk
    ///     will give a `.close` without having given its `.open`.
    package func walk(
        isRecursive: Bool, skipsHidden: Bool, after path: UnsafeRawBufferPointer,
        entered: inout [Node]
    ) -> NodeWalk {
        NodeWalk(
            self, isRecursive: isRecursive, skipsHidden: skipsHidden, after: path,
            entered: &entered)
    }

    /// Whether a path starts with a slash and has no empty, `.` or `..` component, nor a slash at
    /// its end.
    package static func isClean(_ path: UnsafeRawBufferPointer) -> Bool {
        path.count > 1 && StorePath.isClean(path)
    }
}
