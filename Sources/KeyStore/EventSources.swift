/// Finds what the events of an image have in common with its tree and with each other, so that it
/// need be written only once: asked about each event, oldest first.
package struct EventSources {
    package enum Place: Equatable, Sendable {
        /// The event has no such node.
        case none
        /// To be written with the event.
        case here
        /// The file that the tree has at the event's key is the very same.
        case tree
        /// The `node` of the event with this index is the very same.
        case event(UInt64)
    }

    private let tree: Tree
    /// Files that an event brought, and its index.
    private var files: [ObjectIdentifier: UInt64] = [:]

    package init(_ image: StoreImage) { tree = image.tree }

    package mutating func next(_ event: Event) -> (node: Place, previous: Place) {
        let facts = event.facts
        // The one before first: what this event brings cannot be what it replaced.
        let previous = facts.previous.map { place(of: $0, event) } ?? .none
        guard let node = facts.node else { return (.none, previous) }
        let found = place(of: node, event)
        if !node.isDirectory { files[ObjectIdentifier(node)] = event.index }
        return (found, previous)
    }

    private func place(of item: Item, _ event: Event) -> Place {
        if item.isDirectory { return .here }
        if let index = files[ObjectIdentifier(item)] { return .event(index) }
        guard case .found(let found) = tree.find(event.key),
            found.toOpaque() == Unmanaged.passUnretained(item).toOpaque()
        else { return .here }
        return .tree
    }
}
