import KeyStore
package import RaftModel

/// Reads what `StateEncoder` wrote, in pieces of any size. The bytes may be anything: what is no
/// state is refused, and nothing traps. Takes memory for the state, and for one part that is not
/// all there yet.
package struct StateDecoder: ~Copyable {
    fileprivate enum Stage {
        case magic, tree, events, end, done
    }

    private var builder: StoreImageBuilder?
    private var stage = Stage.magic
    private var statistics = StoreStatistics()
    private var storeIndex: UInt64 = 0
    private var counted: (nodes: UInt64, events: UInt64) = (0, 0)
    private var announced: (nodes: UInt64, events: UInt64) = (0, 0)
    private var lastEvent: UInt64 = 0
    /// The beginning of a part whose rest has not come yet.
    private var leftover: [UInt8] = []
    /// Of the first byte in `leftover`, in the stream.
    private var offset: UInt64 = 0

    package init() { builder = StoreImageBuilder() }

    /// One that keeps nothing, and refuses also what is not in `image`. To be ended with
    /// `finishComparison`.
    package static func comparing(with image: StateImage) -> StateDecoder {
        var decoder = StateDecoder()
        decoder.builder = .comparing(with: image.store)
        return decoder
    }

    /// Takes the next bytes of the stream.
    package mutating func append(_ bytes: UnsafeRawBufferPointer) throws(StateError) {
        guard leftover.isEmpty else {
            leftover.append(contentsOf: bytes)
            var whole: [UInt8] = []
            swap(&whole, &leftover)
            return try whole.withUnsafeBufferPointer { buffer throws(StateError) in
                try take(UnsafeRawBufferPointer(buffer))
            }
        }
        try take(bytes)
    }

    private mutating func take(_ bytes: UnsafeRawBufferPointer) throws(StateError) {
        var start = 0
        while start < bytes.count {
            var reader = PieceReader(bytes, from: start)
            try part(&reader)
            guard !reader.isBad else { throw error(.badNumber, start) }
            if reader.isShort { break }
            start = reader.offset
        }
        leftover.append(contentsOf: bytes[start...])
        offset += UInt64(start)
    }

    private func error(_ code: StateError.Code, _ place: Int = 0) -> StateError {
        StateError(code: code, offsetBytes: offset + UInt64(place))
    }

    /// Reads one part, and does nothing if it is not all there.
    private mutating func part(_ reader: inout PieceReader) throws(StateError) {
        let place = reader.offset
        guard stage != .magic else { return try magic(&reader) }
        guard stage != .done else { throw error(.trailingBytes, place) }
        let raw = reader.byte()
        guard let part = StateFormat.Part(rawValue: raw) else {
            throw error(.unknownPart(raw), place)
        }
        guard part.stage == stage else { throw error(.outOfOrder, place) }
        do throws(StoreImageError) {
            switch part {
            case .file: try file(&reader)
            case .directory: try directory(&reader)
            case .close: try builder?.close()
            case .treeEnds:
                try builder?.endTree()
                stage = .events
            case .event: try event(&reader)
            case .dropped: readDropped(&reader)
            case .statistics: readStatistics(&reader)
            case .end: readEnd(&reader)
            }
        } catch {
            throw self.error(.store(error), place)
        }
    }

    private mutating func magic(_ reader: inout PieceReader) throws(StateError) {
        for byte in StateFormat.magic {
            let found = reader.byte()
            if reader.isShort { return }
            guard found == byte else { throw error(.notAState) }
        }
        stage = .tree
    }

    private mutating func file(_ reader: inout PieceReader) throws(StoreImageError) {
        let (name, value) = (reader.sized(), reader.sized())
        let numbers = Numbers(&reader)
        guard reader.isFine else { return }
        try builder?.addFile(
            name: name, value: value, createdIndex: numbers.created,
            modifiedIndex: numbers.modified, expiration: numbers.expiration)
        counted.nodes += 1
    }

    private mutating func directory(_ reader: inout PieceReader) throws(StoreImageError) {
        let name = reader.sized()
        let numbers = Numbers(&reader)
        guard reader.isFine else { return }
        try builder?.open(
            name: name, createdIndex: numbers.created, modifiedIndex: numbers.modified,
            expiration: numbers.expiration)
        counted.nodes += 1
    }

    private struct Numbers {
        let created: UInt64
        let modified: UInt64
        let expiration: Int64

        @inline(__always)
        init(_ reader: inout PieceReader) {
            created = reader.varint()
            modified = created &+ UInt64(bitPattern: reader.zigzag())
            expiration = reader.zigzag()
        }
    }

    private mutating func event(_ reader: inout PieceReader) throws(StoreImageError) {
        let (action, flags) = (Action(rawValue: reader.byte()), reader.byte())
        guard reader.isFine else { return }
        let (index, timeBase, key) = (reader.varint(), reader.zigzag(), reader.sized())
        let node = source(flags >> StateFormat.nodeShift & 3, index, &reader)
        let previous = source(flags >> StateFormat.previousShift & 3, index, &reader)
        guard let action, flags >> 5 == 0 else { return reader.fail() }
        guard reader.isFine else { return }
        try builder?.addEvent(
            action, key: key, index: index, timeBase: timeBase,
            isRefresh: flags & StateFormat.refreshFlag != 0, node: node, previous: previous)
        counted.events += 1
        lastEvent = index
    }

    private func source(
        _ raw: UInt8, _ index: UInt64, _ reader: inout PieceReader
    ) -> StoreImageBuilder.EventSource? {
        switch StateFormat.Source(rawValue: raw) {
        case .tree: return .tree
        case .event: return .event(index &- reader.varint())
        case .absent, nil: return nil
        case .here:
            let flags = reader.byte()
            let numbers = Numbers(&reader)
            let hasValue = flags & StateFormat.hasValueFlag != 0
            let value = hasValue ? reader.sized() : UnsafeRawBufferPointer(start: nil, count: 0)
            let attributes = NodeAttributes(
                isDirectory: flags & StateFormat.directoryFlag != 0, hasValue: hasValue,
                createdIndex: numbers.created, modifiedIndex: numbers.modified,
                expiration: numbers.expiration)
            return .new(StoreImageBuilder.EventNode(attributes, value: value))
        }
    }

    private mutating func readDropped(_ reader: inout PieceReader) {
        let (unknownThrough, depths) = (reader.varint(), reader.varint())
        guard depths <= UInt64(DroppedEvents.depthMax) + 1 else { return reader.fail() }
        var records: [DroppedEvents.Record] = []
        for _ in 0..<depths {
            let floor = droppedKey(&reader, hash: 0)
            var record = DroppedEvents.Record(floor: floor, keys: [])
            var left = reader.varint()
            while left > 0, reader.isFine {
                var hash: UInt64 = 0
                for place in 0..<8 { hash |= UInt64(reader.byte()) << UInt64(8 * place) }
                record.keys.append(droppedKey(&reader, hash: hash))
                left -= 1
            }
            records.append(record)
        }
        guard reader.isFine else { return }
        builder?.addDropped(records, unknownThrough: unknownThrough)
    }

    private func droppedKey(
        _ reader: inout PieceReader, hash: UInt64
    ) -> DroppedEvents.Record.Key {
        let (below, exact, removal) = (reader.varint(), reader.varint(), reader.varint())
        if exact > below || removal > below {
            reader.fail()
            return DroppedEvents.Record.Key(hash: 0, exact: 0, below: 0, removal: 0)
        }
        return DroppedEvents.Record.Key(
            hash: hash, exact: below - exact, below: below, removal: below - removal)
    }

    private mutating func readStatistics(_ reader: inout PieceReader) {
        let count = reader.varint()
        var numbers: [UInt64] = []
        for _ in 0..<min(count, 1000) { numbers.append(reader.varint()) }
        guard reader.isFine else { return }
        statistics = StoreStatistics(counters: numbers)
        stage = .end
    }

    private mutating func readEnd(_ reader: inout PieceReader) {
        let numbers = (reader.varint(), reader.varint(), reader.varint())
        guard reader.isFine else { return }
        storeIndex = numbers.0
        announced = (numbers.1, numbers.2)
        stage = .done
    }

    /// All has come: what it adds up to. What the state is of, the container says.
    package consuming func finish(
        index: UInt64, term: UInt64, confState: ConfState, clusterTime: Int64
    ) throws(StateError) -> StateImage {
        try checkEnd()
        let (offset, storeIndex, statistics) = (offset, storeIndex, statistics)
        let builder = takeBuilder()
        do throws(StoreImageError) {
            let store = try builder.finish(currentIndex: storeIndex, statistics: statistics)
            return StateImage(
                store: store, term: term, index: index, confState: confState,
                clusterTime: clusterTime)
        } catch {
            throw StateError(code: .store(error), offsetBytes: offset)
        }
    }

    /// All has come, and was what the image has.
    package consuming func finishComparison() throws(StateError) {
        try checkEnd()
        let (offset, storeIndex, statistics) = (offset, storeIndex, statistics)
        let builder = takeBuilder()
        do throws(StoreImageError) {
            try builder.finishComparison(currentIndex: storeIndex, statistics: statistics)
        } catch {
            throw StateError(code: .store(error), offsetBytes: offset)
        }
    }

    private func checkEnd() throws(StateError) {
        guard stage == .done, leftover.isEmpty else { throw error(.cutShort) }
        guard counted == announced else { throw error(.counts) }
    }

    private mutating func takeBuilder() -> StoreImageBuilder {
        guard let builder = builder.take() else {
            preconditionFailure("taken only at the end, and then the decoder is consumed")
        }
        return builder
    }
}

extension StateFormat.Part {
    /// Where in a stream it may be.
    fileprivate var stage: StateDecoder.Stage {
        switch self {
        case .file, .directory, .close, .treeEnds: .tree
        case .event, .dropped, .statistics: .events
        case .end: .end
        }
    }
}
