/// Builds a `StoreImage` from a stream of its parts, in the order a `StoreImage` gives them: the
/// steps of its walk, then the events of its history. Linear in what it is given.
///
///     var builder = StoreImageBuilder()
///     try builder.open(name: …, …)       // a directory; `/` itself is open from the start
///     try builder.addFile(name: …, …)
///     try builder.close()
///     try builder.endTree()
///     try builder.addEvent(…)            // oldest first, one per index, none missing
///     let image = try builder.finish(currentIndex: …, statistics: …)
///
/// The stream may come from a damaged file or from another program: whatever cannot be a store is
/// refused with a `StoreImageError`.
///
/// One that is `comparing(with:)` an image takes the same steps and refuses the same, and also whatever
/// that image does not have; but it keeps nothing, so that what was written of a store is known to be
/// readable, and to be that store, without the memory of a second one. It ends with `finishComparison`.
package struct StoreImageBuilder: ~Copyable {
    private var directories: [DirectoryBuilder]
    /// Of the directory that is open, and what is below each that is.
    private var path: [UInt8] = []
    private var sums = [ContentSum.none]
    private var hasExpiring = false
    private var events: [Event] = []
    private var indices: (first: UInt64, last: UInt64)?
    private var dropped: (records: [DroppedEvents.Record], unknownThrough: UInt64)?
    private var stepCount = 0
    /// Set by `endTree`.
    private var tree: Tree?
    /// What all must equal; nil: nothing is compared.
    private let original: StoreImage?

    package init() { self.init(original: nil) }

    package static func comparing(with image: StoreImage) -> StoreImageBuilder {
        StoreImageBuilder(original: image)
    }

    private init(original: StoreImage?) {
        self.original = original
        let root = Item.directory(
            name: UnsafeRawBufferPointer(start: nil, count: 0),
            Item.Stamp(createdIndex: 0, modifiedIndex: 0))
        directories = [DirectoryBuilder(root, keepsItems: original == nil)]
    }

    /// Starts a directory; what follows until `close` is its content.
    package mutating func open(
        name: UnsafeRawBufferPointer, createdIndex: UInt64, modifiedIndex: UInt64,
        expiration: Int64
    ) throws(StoreImageError) {
        try check(name)
        let stamp = Item.Stamp(
            createdIndex: createdIndex, modifiedIndex: modifiedIndex, expiration: expiration)
        directories.append(
            DirectoryBuilder(.directory(name: name, stamp), keepsItems: original == nil))
        path.append(StorePath.slash)
        path.append(contentsOf: name)
        sums.append(.none)
    }

    package mutating func addFile(
        name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, createdIndex: UInt64,
        modifiedIndex: UInt64, expiration: Int64
    ) throws(StoreImageError) {
        try check(name)
        let stamp = Item.Stamp(
            createdIndex: createdIndex, modifiedIndex: modifiedIndex, expiration: expiration)
        let count = path.count
        path.append(StorePath.slash)
        path.append(contentsOf: name)
        try add(.file(name: name, value: value, stamp))
        path.removeSubrange(count...)
    }

    package mutating func close() throws(StoreImageError) {
        guard directories.count > 1 else { throw StoreImageError(.unbalanced, step: stepCount) }
        let directory = directories.removeLast().finish()
        directory.sum = sums.removeLast()
        try add(directory)
        while let last = path.popLast(), last != StorePath.slash {}
    }

    private mutating func check(_ name: UnsafeRawBufferPointer) throws(StoreImageError) {
        stepCount += 1
        let isName =
            !name.isEmpty && !name.contains(StorePath.slash)
            && !name.elementsEqual([StorePath.dot])
            && !name.elementsEqual([StorePath.dot, StorePath.dot])
        if !isName { throw StoreImageError(.badName, step: stepCount) }
    }

    /// `path` is the item's own.
    private mutating func add(_ item: Item) throws(StoreImageError) {
        let sum = path.withBytes { ContentSum.of(item, at: $0) }
        sums[sums.count - 1] = sums[sums.count - 1] + sum
        hasExpiring = hasExpiring || item.expiration != 0
        if !directories[directories.count - 1].add(item) {
            throw StoreImageError(.notSorted, step: stepCount)
        }
    }

    /// The tree is complete: events follow.
    package mutating func endTree() throws(StoreImageError) {
        guard directories.count == 1, tree == nil else {
            throw StoreImageError(.unbalanced, step: stepCount)
        }
        let root = directories[0].finish()
        root.sum = sums[0]
        // Equal sums: it is the very tree that nobody kept.
        guard original == nil || original?.tree.root.sum == root.sum else {
            throw StoreImageError(.differs, step: stepCount)
        }
        let tree = original?.tree ?? Tree(root: root, index: 0)
        try Self.checkNamespaces(tree, step: stepCount)
        self.tree = tree
    }

    /// Where an event's node comes from. Many are the very one that the tree or another event has,
    /// and must be so again, or a restored history would take their memory twice.
    package enum EventSource {
        case new(EventNode)
        /// The file that the tree has at the event's key.
        case tree
        /// The `node` of the event with this index, an earlier one.
        case event(UInt64)
    }

    /// What an event says of a node, with its value. Borrowed.
    package struct EventNode {
        package var attributes: NodeAttributes
        package var value: UnsafeRawBufferPointer

        package init(_ attributes: NodeAttributes, value: UnsafeRawBufferPointer) {
            self.attributes = attributes
            self.value = value
        }

        fileprivate func item(name: UnsafeRawBufferPointer) -> Item {
            let stamp = Item.Stamp(
                createdIndex: attributes.createdIndex, modifiedIndex: attributes.modifiedIndex,
                expiration: attributes.expiration)
            return attributes.isDirectory
                ? .directory(name: name, stamp) : .file(name: name, value: value, stamp)
        }
    }

    /// - Parameters:
    ///   - node: what the event says the node is now; not looked at for a removal.
    ///   - previous: what it was before; there must be one for a removal.
    package mutating func addEvent(
        _ action: Action, key: UnsafeRawBufferPointer, index: UInt64, timeBase: Int64,
        isRefresh: Bool, node: EventSource?, previous: EventSource?
    ) throws(StoreImageError) {
        stepCount += 1
        let isWhole = action.isRemoval ? previous != nil : node != nil
        guard isWhole, index > 0, StorePath.isClean(key), key.count > 1 else {
            throw StoreImageError(.badEvent, step: stepCount)
        }
        if let indices, indices.last + 1 != index {
            throw StoreImageError(.historyGap, step: stepCount)
        }
        let facts = Event.Facts(
            index: index, timeBase: timeBase,
            node: action.isRemoval ? nil : try item(node, key),
            previous: try item(previous, key), keyCount: 0, action: action,
            isRefresh: isRefresh)
        indices = (indices?.first ?? index, index)
        guard let original else { return events.append(Event(facts, key: key)) }
        guard let event = original.history[index], event.isSame(facts, key: key) else {
            throw StoreImageError(.differs, step: stepCount)
        }
    }

    /// An earlier event.
    private func event(at index: UInt64) -> Event? {
        guard let indices, index >= indices.first, index <= indices.last else { return nil }
        return original.map { $0.history[index] } ?? events[Int(index - indices.first)]
    }

    private func item(
        _ source: EventSource?, _ key: UnsafeRawBufferPointer
    ) throws(StoreImageError) -> Item? {
        switch source {
        case nil: return nil
        case .new(let node): return node.item(name: StorePath.name(key))
        case .tree:
            guard case .found(let item)? = tree?.find(key),
                !item._withUnsafeGuaranteedRef({ $0.isDirectory })
            else { throw StoreImageError(.badEvent, step: stepCount) }
            return item.takeUnretainedValue()
        case .event(let index):
            guard let item = event(at: index)?.facts.node,
                Bytes.equal(item.name, StorePath.name(key))
            else { throw StoreImageError(.badEvent, step: stepCount) }
            return item
        }
    }

    /// What the history has dropped; one for each depth of the tree, from the root down.
    package mutating func addDropped(
        _ records: [DroppedEvents.Record], unknownThrough: UInt64
    ) {
        stepCount += 1
        dropped = (records, unknownThrough)
    }

    /// Ends the tree too, if that was not done.
    package consuming func finish(
        currentIndex: UInt64, statistics: StoreStatistics
    ) throws(StoreImageError) -> StoreImage {
        precondition(original == nil, "one that compares has kept nothing")
        try end(at: currentIndex)
        guard var tree else { preconditionFailure("ended just now") }
        tree.index = currentIndex
        var history = EventHistory(
            eventsMax: .max, bytesMax: .max, lastIndex: currentIndex - eventCount)
        if let dropped = try remembered(at: currentIndex) { history.dropped = dropped }
        for event in events { history.append(event) }
        return StoreImage(
            tree: tree, history: history, statistics: statistics, hasExpiring: hasExpiring)
    }

    /// All has been given, and was what the image has.
    package consuming func finishComparison(
        currentIndex: UInt64, statistics: StoreStatistics
    ) throws(StoreImageError) {
        guard let original else { preconditionFailure("nothing was compared") }
        try end(at: currentIndex)
        let remembered = try remembered(at: currentIndex)
        let kept = original.history.dropped
        guard currentIndex == original.currentIndex, statistics == original.statistics,
            eventCount == UInt64(original.history.count),
            remembered?.records ?? [] == kept.records,
            remembered == nil || remembered?.unknownThrough == kept.unknownThrough
        else { throw StoreImageError(.differs, step: stepCount) }
    }

    private var eventCount: UInt64 { indices.map { $0.last - $0.first + 1 } ?? 0 }

    private mutating func end(at currentIndex: UInt64) throws(StoreImageError) {
        // Nobody has counted so far; and counting goes on from here.
        guard currentIndex <= UInt64(Int64.max) else {
            throw StoreImageError(.badIndex, step: stepCount)
        }
        guard currentIndex >= eventCount, indices.map({ $0.last == currentIndex }) ?? true
        else { throw StoreImageError(.historyGap, step: stepCount) }
        if tree == nil { try endTree() }
    }

    /// What `addDropped` was given; nil: nothing.
    private func remembered(at currentIndex: UInt64) throws(StoreImageError) -> DroppedEvents? {
        guard let (records, unknownThrough) = dropped else { return nil }
        let oldest = currentIndex - eventCount + 1
        guard
            let dropped = DroppedEvents(
                records: records, unknownThrough: unknownThrough, before: oldest)
        else { throw StoreImageError(.badEvent, step: stepCount) }
        return dropped
    }

    private static func checkNamespaces(_ tree: Tree, step: Int) throws(StoreImageError) {
        for path: StaticString in ["/0", "/1"] {
            let bytes = UnsafeRawBufferPointer(start: path.utf8Start, count: path.utf8CodeUnitCount)
            guard case .found(let item) = tree.find(bytes),
                item.takeUnretainedValue().isDirectory
            else { throw StoreImageError(.noNamespace, step: step) }
        }
    }
}

/// Why a stream cannot be a store's image.
package struct StoreImageError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: Equatable, Sendable {
        case badName, notSorted, unbalanced, badEvent, badIndex, historyGap, noNamespace
        /// Only of a comparison.
        case differs
    }

    package let code: Code
    /// Which node or event, counted from 1 in the order given.
    package let step: Int

    init(_ code: Code, step: Int) {
        self.code = code
        self.step = step
    }

    package var description: String {
        "\(finding); restore this member from another snapshot or from its peers"
    }

    /// Without what to do about it.
    package var finding: String { "the store image is wrong at part \(step): \(problem)" }

    private var problem: String {
        switch code {
        case .badName: "a name is empty, or contains a slash, or is . or .."
        case .notSorted: "a name does not follow the one before it"
        case .unbalanced: "directories are not opened and closed in pairs"
        case .badEvent: "an event lacks its key or its node, or its index cannot be"
        case .badIndex: "its index is larger than any that was ever counted up to"
        case .historyGap: "the events' indices do not follow each other up to the current one"
        case .differs: "it is not what the store has"
        case .noNamespace: "there is no directory /0 or no directory /1"
        }
    }
}
