import RaftModel
import Cluster
import KeyStore
import ProtoWire

/// Writes what a real etcd 2.3 reads: fields in its order, strings with its escapes.
extension EtcdSnapshot {
    /// etcd's ring of events.
    private static let eventsMax = 1000

    /// A `.snap` file.
    package static func encode(
        _ image: StateImage, crc32c: (UnsafeRawBufferPointer) -> UInt32
    ) -> [UInt8] {
        let snapshot = Snapshot(data: encodeStore(image), metadata: image.metadata)
        let data = snapshot.encoded()
        let crc = UInt64(data.withUnsafeBytes { crc32c($0) })
        let size = WireSize.varintField(1, crc) + WireSize.bytesField(2, count: data.count)
        return [UInt8](unsafeUninitializedCapacity: size) { memory, count in
            var writer = WireWriter(UnsafeMutableRawBufferPointer(memory))
            writer.varintField(1, crc)
            data.withUnsafeBytes { writer.bytesField(2, $0) }
            precondition(writer.count == size)
            count = size
        }
    }

    /// The store's JSON alone.
    package static func encodeStore(_ image: StateImage) -> [UInt8] {
        var writer = EtcdStoreWriter(image)
        return writer.write(eventsMax: eventsMax)
    }
}

private struct EtcdStoreWriter {
    private let image: StateImage
    private var json = JSONText()
    /// Of the directories that are open; `/` is the empty one.
    private var paths = [""]

    init(_ image: StateImage) { self.image = image }

    mutating func write(eventsMax: Int) -> [UInt8] {
        json.raw("{\"Root\":")
        writeTree()
        json.raw(",\"WatcherHub\":{\"EventHistory\":")
        writeHistory(eventsMax)
        json.raw("},\"CurrentIndex\":\(image.store.currentIndex),\"Stats\":{")
        for (name, value) in zip(
            StoreStatistics.counterNames, image.store.statistics.counters)
        {
            json.raw("\"\(name)\":\(value),")
        }
        json.raw("\"watchers\":0},\"CurrentVersion\":2}")
        return json.bytes
    }

    private mutating func writeTree() {
        var walk = image.store.walk()
        var isFirst = true
        head("/", created: 0, modified: 0, expiration: 0, value: "")
        json.raw("{")
        while let step = walk.next() {
            switch step {
            case .close:
                json.raw("}}")
                paths.removeLast()
                isFirst = false
            case .file(let node):
                begin(node, isFirst)
                json.raw("null}")
                isFirst = false
            case .open(let node):
                paths.append(begin(node, isFirst))
                json.raw("{")
                isFirst = true
            }
        }
        json.raw("}}")
    }

    /// A child's name and its node up to the children; gives its path.
    @discardableResult
    private mutating func begin(_ node: Node, _ isFirst: Bool) -> String {
        let name = node.withName { String(decoding: $0, as: UTF8.self) }
        let own = "\(paths[paths.count - 1])/\(name)"
        if !isFirst { json.raw(",") }
        json.string(name)
        json.raw(":")
        head(
            own, created: node.createdIndex, modified: node.modifiedIndex,
            expiration: node.expiration,
            value: node.withValue { String(decoding: $0, as: UTF8.self) })
        return own
    }

    private mutating func head(
        _ path: String, created: UInt64, modified: UInt64, expiration: Int64, value: String
    ) {
        let time =
            expiration == 0
            ? "0001-01-01T00:00:00Z" : CivilTime(unixNanoseconds: expiration).rfc3339
        json.raw("{\"Path\":")
        json.string(path)
        json.raw(",\"CreatedIndex\":\(created),\"ModifiedIndex\":\(modified)")
        json.raw(",\"ExpireTime\":\"\(time)\",\"Value\":")
        json.string(value)
        json.raw(",\"Children\":")
    }

    private mutating func writeHistory(_ eventsMax: Int) {
        let history = image.store.history
        let count = min(history.count, eventsMax)
        let first = history.lastIndex - UInt64(count) + 1
        json.raw("{\"Queue\":{\"Events\":[")
        for place in 0..<eventsMax {
            if place > 0 { json.raw(",") }
            if place < count, let event = history[first + UInt64(place)] {
                write(event)
            } else {
                json.raw("null")
            }
        }
        json.raw("],\"Size\":\(count),\"Front\":0,\"Back\":\(count % eventsMax)")
        json.raw(",\"Capacity\":\(eventsMax)}")
        json.raw(",\"StartIndex\":\(count == 0 ? 0 : first)")
        json.raw(",\"LastIndex\":\(count == 0 ? 0 : history.lastIndex)}")
    }

    private mutating func write(_ event: Event) {
        let key = event.withKey { String(decoding: $0, as: UTF8.self) }
        json.raw("{\"action\":\"\(event.action.name)\",\"node\":")
        write(
            event.node, key, event.withValue { String(decoding: $0, as: UTF8.self) },
            event.timeBase)
        if let previous = event.previousNode {
            json.raw(",\"prevNode\":")
            write(
                previous, key, event.withPreviousValue { String(decoding: $0, as: UTF8.self) },
                event.timeBase)
        }
        if event.isRefresh { json.raw(",\"refresh\":true") }
        json.raw("}")
    }

    private mutating func write(
        _ node: NodeAttributes, _ key: String, _ value: String, _ timeBase: Int64
    ) {
        json.raw("{\"key\":")
        json.string(key)
        if node.hasValue {
            json.raw(",\"value\":")
            json.string(value)
        }
        if node.isDirectory { json.raw(",\"dir\":true") }
        if node.expiration != 0 {
            let ttl = TimeToLive.seconds(until: node.expiration, now: timeBase)
            let time = CivilTime(unixNanoseconds: node.expiration).rfc3339
            json.raw(",\"expiration\":\"\(time)\"")
            if ttl != 0 { json.raw(",\"ttl\":\(ttl)") }
        }
        json.raw(",\"modifiedIndex\":\(node.modifiedIndex)")
        json.raw(",\"createdIndex\":\(node.createdIndex)}")
    }
}
