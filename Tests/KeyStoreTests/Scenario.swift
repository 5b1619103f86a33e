import Foundation
import KeyStore

/// One file of Fixtures/store, run against a fresh store.
///
///     # What it proves, and where the expected answers come from.
///     pad 10                         set /_pad until the index is 10 (as the recorder did)
///
///     PUT /c value=two&prevValue=one       as the client port, parameters decoded from %XX
///     ----
///     12 {"action":"compareAndSwap",…}     X-Etcd-Index and body
///
/// Further commands: `SYNC 1500ms` (time passes; every 500 ms a SYNC is applied), `WATCH name
/// /key parameters` (answers `INDEX open` or an error), `EVENT name` (the next event a watcher
/// got, or `none`), `CLOSE name`, `STATS` (the counters that moved since the padding). A key `@/x`
/// is the store path `/x`, others are below `/1`. Before
/// `pad`: `history N`, `history-bytes N`, `streams continue`.
struct Scenario {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private var options = Store.Options()
    private var store = Store()
    private var base = StoreStatistics()
    private var now = StoreText.start
    private var watchers: [String: WatcherID] = [:]
    private var delivered: [WatcherID: [Event]] = [:]
    private var nextWatcher: UInt64 = 1

    static func files() -> [String] {
        let folder = self.folder
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(".txt") }.sorted()
    }

    private static var folder: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Fixtures/store").standardizedFileURL
    }

    /// Runs a file; gives "line N: …" for each answer that is not the expected one.
    static func run(_ name: String) throws -> [String] {
        let text = try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var scenario = Scenario()
        var mismatches: [String] = []
        var number = 0
        while number < lines.count {
            let line = lines[number]
            number += 1
            if line.isEmpty || line.hasPrefix("#") { continue }
            let answer = try scenario.carryOut(line)
            guard number < lines.count, lines[number] == "----" else {
                if let answer { throw Failure(description: "line \(number): unasked: \(answer)") }
                continue
            }
            let expected = lines[number + 1]
            number += 2
            if answer != expected {
                mismatches.append(
                    "line \(number - 2): \(line)\n  got      \(answer ?? "nothing")\n"
                        + "  expected \(expected)")
            }
        }
        return mismatches
    }

    private mutating func carryOut(_ line: String) throws -> String? {
        let words = line.split(separator: " ").map(String.init)
        switch words[0] {
        case "history": options.historyEventsMax = try integer(words[1])
        case "history-bytes": options.historyBytesMax = try integer(words[1])
        case "streams": options.streamsContinueFromHistory = words[1] == "continue"
        case "pad": pad(to: UInt64(try integer(words[1])))
        case "SYNC": try passTime(words[1])
        case "STATS": return statistics()
        case "WATCH":
            return watch(words[1], words[2], Parameters(words.count > 3 ? words[3] : ""))
        case "EVENT": return try nextEvent(words[1])
        case "CLOSE":
            let id = try watcher(words[1])
            store.cancelWatch(id)
        default:
            return try request(
                words[0], words[1], Parameters(words.count > 2 ? words[2] : ""))
        }
        return nil
    }

    private func integer(_ text: String) throws -> Int {
        guard let number = Int(text) else { throw Failure(description: "no number: \(text)") }
        return number
    }

    private mutating func pad(to index: UInt64) {
        store = Store(options: options)
        while store.currentIndex < index {
            _ = try? Array("/1/_pad".utf8).withUnsafeBytes { path in
                try Array("0".utf8).withUnsafeBytes {
                    try store.set(path, Update(value: $0), now: now)
                }
            }
        }
        base = store.statistics
    }

    private mutating func passTime(_ text: String) throws {
        let milliseconds = try integer(String(text.dropLast(2)))
        for _ in 0..<(milliseconds / 100) {
            now += 100_000_000
            if (now - StoreText.start) % 500_000_000 == 0 { store.expire(upTo: now) }
        }
        collect()
    }

    // MARK: - Requests

    private mutating func request(
        _ method: String, _ key: String, _ parameters: Parameters
    ) throws -> String {
        if method == "GET", parameters.flag("wait") { return immediateEvent(key, parameters) }
        let path = Self.storePath(key)
        let value = parameters.bytes("value")
        let previousValue = parameters.bytes("prevValue")
        return try path.withUnsafeBytes { path in
            try value.withUnsafeBytes { value in
                try previousValue.withUnsafeBytes { previousValue in
                    var command = Command(try Self.method(method), path: path)
                    command.value = value
                    command.previousValue = previousValue
                    command.previousIndex = UInt64(parameters["prevIndex"] ?? "") ?? 0
                    command.previousExists = parameters["prevExist"].map { $0 == "true" }
                    command.isDirectory = parameters.flag("dir")
                    command.isRecursive = parameters.flag("recursive")
                    command.isRefresh = parameters.flag("refresh")
                    if let ttl = parameters["ttl"].flatMap({ UInt64($0) }) {
                        command.expiration = now &+ Int64(bitPattern: ttl) &* 1_000_000_000
                    }
                    return apply(command)
                }
            }
        }
    }

    private static func method(_ name: String) throws -> Command.Method {
        switch name {
        case "PUT": return .put
        case "POST": return .post
        case "DELETE": return .delete
        case "GET": return .quorumGet
        default: throw Failure(description: "unknown command \(name)")
        }
    }

    private mutating func apply(_ command: Command) -> String {
        do throws(StoreError) {
            let answer = try store.apply(command, now: now)
            collect()
            switch answer {
            case .event(let event): return "\(event.index) \(StoreText.json(event))"
            case .expired(let count): return "\(store.currentIndex) \(count) expired"
            case .node(let node):
                let text = StoreText.json(
                    node, path: [UInt8](command.path), isRecursive: command.isRecursive, now: now)
                return "\(store.currentIndex) \(text)"
            }
        } catch {
            return "\(error.index) \(StoreText.json(error))"
        }
    }

    private func statistics() -> String {
        let now = store.statistics
        let names = Mirror(reflecting: now).children
        let before = Mirror(reflecting: base).children
        let moved = zip(names, before).compactMap { now, before -> String? in
            guard let name = now.label, !name.hasPrefix("gets") else { return nil }
            guard let count = now.value as? UInt64, let old = before.value as? UInt64 else {
                return nil
            }
            return count == old ? nil : "\(name)=\(count - old)"
        }
        return moved.isEmpty ? "unchanged" : moved.joined(separator: " ")
    }

    // MARK: - Watchers

    private mutating func watch(
        _ name: String, _ key: String, _ parameters: Parameters
    ) -> String {
        let id = WatcherID(nextWatcher)
        nextWatcher += 1
        do throws(StoreError) {
            let path = Self.storePath(key)
            let index = store.currentIndex
            let start = try watch(path, id, parameters)
            watchers[name] = id
            delivered[id] = start.events
            return "\(index) open"
        } catch {
            return "\(error.index) \(StoreText.json(error))"
        }
    }

    private func watch(
        _ path: [UInt8], _ id: WatcherID, _ parameters: Parameters
    ) throws(StoreError) -> WatchStart {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: path.count, alignment: 1)
        defer { bytes.deallocate() }
        bytes.copyBytes(from: path)
        return try store.watch(
            UnsafeRawBufferPointer(bytes), as: id, isRecursive: parameters.flag("recursive"),
            isStream: parameters.flag("stream"),
            sinceIndex: UInt64(parameters["waitIndex"] ?? "") ?? 0)
    }

    /// A watch that the history answers.
    private mutating func immediateEvent(_ key: String, _ parameters: Parameters) -> String {
        let opened = watch("immediate", key, parameters)
        guard opened.hasSuffix("open") else { return opened }
        return "\(store.currentIndex) \((try? nextEvent("immediate")) ?? "none")"
    }

    private mutating func collect() {
        for notification in store.takeNotifications() {
            delivered[notification.watcher, default: []].append(notification.event)
        }
    }

    private func watcher(_ name: String) throws -> WatcherID {
        guard let id = watchers[name] else { throw Failure(description: "no watcher \(name)") }
        return id
    }

    private mutating func nextEvent(_ name: String) throws -> String {
        let id = try watcher(name)
        guard let event = delivered[id]?.first else { return "none" }
        delivered[id]?.removeFirst()
        return StoreText.json(event)
    }

    private static func storePath(_ key: String) -> [UInt8] {
        let bytes = Parameters.decoded(key)
        // `@/x` is the store path /x itself.
        if bytes.first == UInt8(ascii: "@") { return Array(bytes.dropFirst()) }
        return Array("/1".utf8) + (key == "/" ? [] : bytes)
    }
}

/// `name=value&…`, with %XX.
struct Parameters {
    private var values: [String: [UInt8]] = [:]

    init(_ text: String) {
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            values[String(parts[0])] = parts.count > 1 ? Self.decoded(String(parts[1])) : []
        }
    }

    subscript(name: String) -> String? { values[name].map { StoreText.string($0) } }

    func flag(_ name: String) -> Bool { self[name] == "true" }

    func bytes(_ name: String) -> [UInt8] { values[name] ?? [] }

    static func decoded(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let code = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(code)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return bytes
    }
}
