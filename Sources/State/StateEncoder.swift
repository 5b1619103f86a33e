import KeyStore

/// Writes a state as a stream of bytes, piece by piece, in a constant amount of memory beside the
/// image. On any one thread. See `StateFormat`.
package struct StateEncoder: ~Copyable {
    /// A piece is handed out when it has grown to this.
    private static let pieceBytes = 192 << 10

    private enum Stage {
        case tree(NodeWalk)
        case events(next: UInt64)
        case done
    }

    private let image: StateImage
    private var stage: Stage
    private var sources: EventSources
    private var bytes = PieceWriter()
    private var isStarted = false

    package init(_ image: StateImage) {
        self.image = image
        stage = .tree(image.store.walk())
        sources = EventSources(image.store)
    }

    /// Calls `body` with the next piece; false: there is none left.
    package mutating func next<Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        bytes.removeAll()
        if !isStarted { bytes.append(StateFormat.magic) }
        isStarted = true
        while bytes.count < Self.pieceBytes, step() {}
        guard bytes.count > 0 else { return false }
        try body(bytes.all)
        return true
    }

    /// Writes one part; false after the last.
    private mutating func step() -> Bool {
        switch stage {
        case .tree(var walk):
            // Out of the enum while it is changed, so that it is not copied.
            stage = .done
            while bytes.count < Self.pieceBytes {
                guard let part = walk.next() else {
                    bytes.byte(StateFormat.Part.treeEnds.rawValue)
                    stage = .events(next: image.store.history.oldestIndex)
                    return true
                }
                write(part)
            }
            stage = .tree(walk)
            return true
        case .events(let index):
            guard let event = image.store.history[index] else {
                writeEnd()
                stage = .done
                return true
            }
            write(event)
            stage = .events(next: index + 1)
            return true
        case .done: return false
        }
    }

    private mutating func write(_ part: NodeWalk.Step) {
        switch part {
        case .close: bytes.byte(StateFormat.Part.close.rawValue)
        case .open(let node): write(node, .directory)
        case .file(let node): write(node, .file)
        }
    }

    private mutating func write(_ node: Node, _ part: StateFormat.Part) {
        bytes.byte(part.rawValue)
        node.withName { bytes.sized($0) }
        if part == .file { node.withValue { bytes.sized($0) } }
        write(node.createdIndex, node.modifiedIndex, node.expiration)
    }

    private mutating func write(_ created: UInt64, _ modified: UInt64, _ expiration: Int64) {
        bytes.varint(created)
        bytes.zigzag(Int64(bitPattern: modified &- created))
        bytes.zigzag(expiration)
    }

    private mutating func write(_ event: Event) {
        let places = sources.next(event)
        let (node, previous) = (Self.source(places.node), Self.source(places.previous))
        bytes.byte(StateFormat.Part.event.rawValue)
        bytes.byte(event.action.rawValue)
        var flags = event.isRefresh ? StateFormat.refreshFlag : 0
        flags |= node.rawValue << StateFormat.nodeShift
        flags |= previous.rawValue << StateFormat.previousShift
        bytes.byte(flags)
        bytes.varint(event.index)
        bytes.zigzag(event.timeBase)
        event.withKey { bytes.sized($0) }
        write(places.node, event.node, of: event) { event.withValue($0) }
        guard let attributes = event.previousNode else { return }
        write(places.previous, attributes, of: event) { event.withPreviousValue($0) }
    }

    private mutating func write(
        _ place: EventSources.Place, _ attributes: NodeAttributes, of event: Event,
        _ withValue: ((UnsafeRawBufferPointer) -> Void) -> Void
    ) {
        switch place {
        case .none, .tree: break
        case .event(let index): bytes.varint(event.index - index)
        case .here:
            bytes.byte(
                (attributes.isDirectory ? StateFormat.directoryFlag : 0)
                    | (attributes.hasValue ? StateFormat.hasValueFlag : 0))
            write(attributes.createdIndex, attributes.modifiedIndex, attributes.expiration)
            if attributes.hasValue { withValue { bytes.sized($0) } }
        }
    }

    private static func source(_ place: EventSources.Place) -> StateFormat.Source {
        switch place {
        case .none: .absent
        case .here: .here
        case .tree: .tree
        case .event: .event
        }
    }

    private mutating func writeDropped() {
        let dropped = image.store.history.dropped
        let records = dropped.records
        bytes.byte(StateFormat.Part.dropped.rawValue)
        bytes.varint(dropped.unknownThrough)
        bytes.varint(UInt64(records.count))
        for record in records {
            write(record.floor)
            bytes.varint(UInt64(record.keys.count))
            for key in record.keys {
                withUnsafeBytes(of: key.hash.littleEndian) { for byte in $0 { bytes.byte(byte) } }
                write(key)
            }
        }
    }

    private mutating func write(_ key: DroppedEvents.Record.Key) {
        bytes.varint(key.below)
        bytes.varint(key.below - key.exact)
        bytes.varint(key.below - key.removal)
    }

    private mutating func writeEnd() {
        writeDropped()
        bytes.byte(StateFormat.Part.statistics.rawValue)
        let numbers = image.store.statistics.counters
        bytes.varint(UInt64(numbers.count))
        for number in numbers { bytes.varint(number) }
        bytes.byte(StateFormat.Part.end.rawValue)
        bytes.varint(image.store.currentIndex)
        bytes.varint(UInt64(image.nodeCount))
        bytes.varint(UInt64(image.eventCount))
    }
}

extension StateEncoder {
    /// All of it at once; for small ones.
    package static func bytes(_ image: StateImage) -> [UInt8] {
        var encoder = StateEncoder(image)
        var bytes: [UInt8] = []
        while encoder.next({ bytes += $0 }) {}
        return bytes
    }
}
