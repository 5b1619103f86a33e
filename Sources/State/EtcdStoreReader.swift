import Cluster
import KeyStore

/// Reads the JSON of an etcd 2.x store into an image, in one pass, whatever its size and depth.
struct EtcdStoreReader: ~Copyable {
    private var json: JSONPull
    private var builder: StoreImageBuilder?
    private var events: [PastEvent] = []
    private var currentIndex: UInt64 = 0
    private var statistics = StoreStatistics()
    private var name: [UInt8] = []
    private var text: [UInt8] = []

    init(_ bytes: UnsafeRawBufferPointer) { json = JSONPull(bytes) }

    /// An event of the history, kept until the tree and the store's index are known.
    private struct PastEvent {
        struct Node {
            var key: [UInt8] = []
            var value: [UInt8] = []
            var hasValue = false
            var isDirectory = false
            var expiration: Int64 = 0
            var ttl: Int64 = 0
            var createdIndex: UInt64 = 0
            var modifiedIndex: UInt64 = 0
        }

        var action: Action
        var node: Node
        var previous: Node?
        var isRefresh = false
    }

    /// A node up to where its children would come.
    private struct Head {
        var createdIndex: UInt64 = 0
        var modifiedIndex: UInt64 = 0
        var expiration: Int64 = 0
    }

    mutating func read() throws(EtcdSnapshotError) -> StoreImage {
        builder = StoreImageBuilder()
        json.expect("{", "an object")
        while json.nextField(&name) {
            switch String(decoding: name, as: UTF8.self) {
            case "Root": try readTree()
            case "WatcherHub": try readHub()
            case "CurrentIndex": currentIndex = json.unsigned()
            case "Stats": readStatistics()
            default: json.skip()
            }
        }
        try check()
        return try finish()
    }

    private func check() throws(EtcdSnapshotError) {
        guard let fault = json.fault else { return }
        throw EtcdSnapshotError(
            .json(expected: "\(fault.expected)"), offsetBytes: fault.offset)
    }

    // MARK: The tree

    /// Without recursion: a tree may be as deep as somebody liked.
    private mutating func readTree() throws(EtcdSnapshotError) {
        var depth = 0
        var child: [UInt8] = []
        if try readNode(child, isRoot: true) { depth = 1 }
        while depth > 0 {
            try check()
            if json.nextField(&child) {
                if try readNode(child, isRoot: false) { depth += 1 }
            } else {
                try check()
                depth -= 1
                // The rest of the object whose children have ended.
                while json.nextField(&name) { json.skip() }
                if depth > 0 {
                    do throws(StoreImageError) { try builder?.close() } catch {
                        throw EtcdSnapshotError(.store(error), offsetBytes: json.offset)
                    }
                }
            }
        }
    }

    /// Reads a node; a directory up to the first of its children: true.
    private mutating func readNode(
        _ child: [UInt8], isRoot: Bool
    ) throws(EtcdSnapshotError) -> Bool {
        var head = Head()
        text.removeAll(keepingCapacity: true)
        json.expect("{", "a node")
        while json.nextField(&name) {
            switch String(decoding: name, as: UTF8.self) {
            case "CreatedIndex": head.createdIndex = json.unsigned()
            case "ModifiedIndex": head.modifiedIndex = json.unsigned()
            case "ExpireTime": head.expiration = try readTime()
            case "Value": json.string(into: &text)
            case "Children":
                if json.takeNull() { continue }
                json.expect("{", "children")
                try check()
                if !isRoot { try open(child, head) }
                return true
            default: json.skip()
            }
        }
        try check()
        if isRoot { json.fail("a directory") }
        try check()
        do throws(StoreImageError) {
            try child.withUnsafeBufferPointer { name throws(StoreImageError) in
                try text.withUnsafeBufferPointer { value throws(StoreImageError) in
                    try builder?.addFile(
                        name: UnsafeRawBufferPointer(name), value: UnsafeRawBufferPointer(value),
                        createdIndex: head.createdIndex, modifiedIndex: head.modifiedIndex,
                        expiration: head.expiration)
                }
            }
        } catch {
            throw EtcdSnapshotError(.store(error), offsetBytes: json.offset)
        }
        return false
    }

    private mutating func open(_ child: [UInt8], _ head: Head) throws(EtcdSnapshotError) {
        do throws(StoreImageError) {
            try child.withUnsafeBufferPointer { name throws(StoreImageError) in
                try builder?.open(
                    name: UnsafeRawBufferPointer(name), createdIndex: head.createdIndex,
                    modifiedIndex: head.modifiedIndex, expiration: head.expiration)
            }
        } catch {
            throw EtcdSnapshotError(.store(error), offsetBytes: json.offset)
        }
    }

    /// Go's zero time, in the year 1, stands for none.
    private mutating func readTime() throws(EtcdSnapshotError) -> Int64 {
        var time: [UInt8] = []
        json.string(into: &time)
        try check()
        if time.starts(with: "0001-01-01T".utf8) { return 0 }
        let text = String(decoding: time, as: UTF8.self)
        guard let nanoseconds = CivilTime.unixNanoseconds(rfc3339: text) else {
            throw EtcdSnapshotError(.time(text), offsetBytes: json.offset)
        }
        return nanoseconds
    }

    // MARK: The history and the statistics

    private mutating func readHub() throws(EtcdSnapshotError) {
        if json.takeNull() { return }
        json.expect("{", "an object")
        while json.nextField(&name) {
            guard name.elementsEqual("EventHistory".utf8), json.peek() == 0x7b else {
                json.skip()
                continue
            }
            json.expect("{", "an object")
            while json.nextField(&name) {
                guard name.elementsEqual("Queue".utf8), json.peek() == 0x7b else {
                    json.skip()
                    continue
                }
                try readQueue()
            }
        }
    }

    private mutating func readQueue() throws(EtcdSnapshotError) {
        json.expect("{", "an object")
        while json.nextField(&name) {
            guard name.elementsEqual("Events".utf8), json.peek() == 0x5b else {
                json.skip()
                continue
            }
            json.expect("[", "a list")
            while json.isFine, !json.take("]") {
                _ = json.take(",")
                if json.takeNull() { continue }
                if let event = try readEvent() { events.append(event) }
            }
        }
    }

    private mutating func readEvent() throws(EtcdSnapshotError) -> PastEvent? {
        var event = PastEvent(action: .set, node: PastEvent.Node())
        var isKnown = false
        json.expect("{", "an event")
        while json.nextField(&name) {
            switch String(decoding: name, as: UTF8.self) {
            case "action":
                json.string(into: &text)
                let action = Action.allCases.first { "\($0.name)".utf8.elementsEqual(text) }
                isKnown = action != nil
                event.action = action ?? .set
            case "node": event.node = try readEventNode()
            case "prevNode": event.previous = json.takeNull() ? nil : try readEventNode()
            case "refresh": event.isRefresh = json.bool()
            default: json.skip()
            }
        }
        try check()
        return isKnown ? event : nil
    }

    private mutating func readEventNode() throws(EtcdSnapshotError) -> PastEvent.Node {
        var node = PastEvent.Node()
        json.expect("{", "a node")
        while json.nextField(&name) {
            switch String(decoding: name, as: UTF8.self) {
            case "key": json.string(into: &node.key)
            case "value":
                json.string(into: &node.value)
                node.hasValue = true
            case "dir": node.isDirectory = json.bool()
            case "expiration": node.expiration = json.takeNull() ? 0 : try readTime()
            case "ttl": node.ttl = json.signed()
            case "modifiedIndex": node.modifiedIndex = json.unsigned()
            case "createdIndex": node.createdIndex = json.unsigned()
            default: json.skip()
            }
        }
        try check()
        return node
    }

    private mutating func readStatistics() {
        var numbers: [String: UInt64] = [:]
        json.expect("{", "statistics")
        while json.nextField(&name) {
            numbers[String(decoding: name, as: UTF8.self)] = json.unsigned()
        }
        statistics = StoreStatistics(
            counters: StoreStatistics.counterNames.map { numbers[$0] ?? 0 })
    }

    // MARK: The end

    private mutating func finish() throws(EtcdSnapshotError) -> StoreImage {
        guard var builder = builder.take() else { preconditionFailure("made at the start") }
        do throws(StoreImageError) {
            try builder.endTree()
            for event in usableEvents() { try Self.add(event, to: &builder) }
            return try builder.finish(currentIndex: currentIndex, statistics: statistics)
        } catch {
            throw EtcdSnapshotError(.store(error), offsetBytes: json.offset)
        }
    }

    /// The ring's events in the order of their indices, as far as they lead up to the store's index
    /// without a gap: a watcher must not be told of a history that is not whole.
    private func usableEvents() -> ArraySlice<PastEvent> {
        let sorted = events.sorted { $0.node.modifiedIndex < $1.node.modifiedIndex }
        var start = sorted.count
        var expected = currentIndex
        while start > 0, sorted[start - 1].node.modifiedIndex == expected, expected > 0,
            Self.isWhole(sorted[start - 1])
        {
            (start, expected) = (start - 1, expected - 1)
        }
        return sorted[start...]
    }

    private static func isWhole(_ event: PastEvent) -> Bool {
        event.node.key.count > 1 && (!event.action.isRemoval || event.previous != nil)
    }

    private static func add(
        _ event: PastEvent, to builder: inout StoreImageBuilder
    ) throws(StoreImageError) {
        let timed = event.node.expiration != 0 ? event.node : event.previous
        // Wraps: a time to live may be any number that somebody put there.
        let timeBase = timed.map { $0.expiration &- $0.ttl &* 1_000_000_000 } ?? 0
        try event.node.key.withUnsafeBufferPointer { key throws(StoreImageError) in
            try source(event.action.isRemoval ? nil : event.node) {
                node throws(StoreImageError) in
                try source(event.previous) { previous throws(StoreImageError) in
                    try builder.addEvent(
                        event.action, key: UnsafeRawBufferPointer(key),
                        index: event.node.modifiedIndex, timeBase: timeBase,
                        isRefresh: event.isRefresh, node: node, previous: previous)
                }
            }
        }
    }

    private static func source(
        _ node: PastEvent.Node?,
        _ body: (StoreImageBuilder.EventSource?) throws(StoreImageError) -> Void
    ) throws(StoreImageError) {
        guard let node else { return try body(nil) }
        let attributes = NodeAttributes(
            isDirectory: node.isDirectory, hasValue: node.hasValue,
            createdIndex: node.createdIndex, modifiedIndex: node.modifiedIndex,
            expiration: node.expiration)
        try node.value.withUnsafeBufferPointer { value throws(StoreImageError) in
            try body(
                .new(
                    StoreImageBuilder.EventNode(attributes, value: UnsafeRawBufferPointer(value))))
        }
    }
}
