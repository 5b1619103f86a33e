import Foundation
import ProcessSupport
import StorageIO
import Synchronization

/// Clients that do a bit of everything, each on a thread of its own, and look for another member when
/// theirs fails them.
final class SoakLoad: Sendable {
    private let ports: [Int]
    private let isStopped = Atomic(false)
    private let group = DispatchGroup()
    private let counts = Mutex<[String: Int]>([:])

    /// Between two requests of a client: it is the length of the run that counts, not its speed.
    static let pause: UInt32 = 8_000
    static let keyCount = 2000
    static let valueBytes = 4096
    /// Requests of a client from one backup to the next.
    static let backupEvery = 1000

    init(ports: [Int]) { self.ports = ports }

    func start(clients: Int, watchers: Int, seed: UInt64) {
        for n in 0..<clients {
            run { self.work(n, SplitMix64(seed: seed &+ UInt64(n))) }
        }
        for n in 0..<watchers { run { self.watch(n) } }
    }

    /// Returns when all have ended.
    func stop() {
        isStopped.store(true, ordering: .relaxed)
        group.wait()
    }

    var summary: String {
        counts.withLock { $0 }.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            .joined(separator: ", ")
    }

    var successCount: Int { counts.withLock { $0["done"] ?? 0 } }

    private var goesOn: Bool { !isStopped.load(ordering: .relaxed) }

    private func run(_ body: @escaping @Sendable () -> Void) {
        group.enter()
        Thread.detachNewThread { [group] in
            body()
            group.leave()
        }
    }

    private func count(_ name: String) { counts.withLock { $0[name, default: 0] += 1 } }

    // MARK: Requests

    private func work(_ number: Int, _ seeded: SplitMix64) {
        var random = seeded
        eachConnection(from: number, lost: "lost") { client in
            for n in 1... where goesOn {
                let status = try request(client, &random, isBackup: n % Self.backupEvery == 0)
                count(status < 500 ? "done" : "\(status)")
                usleep(Self.pause)
                if !goesOn { return }
            }
        }
    }

    /// Connects to one member after the other, and calls `body` with each connection; `lost` is counted
    /// when it throws.
    private func eachConnection(
        from number: Int, lost: String, _ body: (LoopbackHTTP) throws -> Void
    ) {
        var member = number
        while goesOn {
            member += 1
            let port = ports[member % ports.count]
            guard let client = try? LoopbackHTTP(port: port, timeout: .seconds(5)) else {
                usleep(100_000)
                continue
            }
            do { try body(client) } catch { count(lost) }
        }
    }

    /// One of the mix; its status.
    private func request(
        _ client: LoopbackHTTP, _ random: inout SplitMix64, isBackup: Bool
    ) throws -> Int {
        if isBackup {
            count("backups")
            return try client.request("GET", "/v2/admin/backup").status
        }
        let number = Int(random.next() % UInt64(Self.keyCount))
        let key = "/v2/keys/soak/\(number % 20)/k\(number)"
        let value = "value=\(value(&random))"
        switch random.next() % 100 {
        case 0..<42: return try client.request("PUT", key, form: value).status
        case 42..<62: return try client.request("GET", key).status
        case 62..<67: return try client.request("GET", key + "?quorum=true").status
        case 67..<72: return try client.request("PUT", key + "?prevExist=true", form: value).status
        case 72..<76: return try swap(client, key, value)
        case 76..<83: return try client.request("DELETE", key).status
        case 83..<89:
            let ttl = 1 + random.next() % 10
            return try client.request("PUT", key + "-t?ttl=\(ttl)", form: value).status
        case 89..<92: return try client.request("POST", "/v2/keys/queue?ttl=5", form: value).status
        case 92..<94: return try client.request("GET", "/v2/keys/queue?sorted=true").status
        case 94..<96:
            return try client.request("GET", "/v2/keys/soak/\(number % 20)?recursive=true").status
        case 96..<97:
            let page = "/v2/keys/soak/\(number % 20)?limit=20&keysOnly=true"
            return try client.request("GET", page).status
        case 97..<98:
            let directory = "/v2/keys/soak/\(number % 20)/dir"
            _ = try client.request("PUT", directory + "/a/b", form: value)
            return try client.request("DELETE", directory + "?recursive=true").status
        case 98..<99: return try client.request("GET", "/metrics").status
        default: return try client.request("GET", "/v2/stats/store").status
        }
    }

    /// From the index that was read.
    private func swap(_ client: LoopbackHTTP, _ key: String, _ value: String) throws -> Int {
        let index = try client.request("GET", key).node["modifiedIndex"] as? Int ?? 0
        return try client.request("PUT", key + "?prevIndex=\(index)", form: value).status
    }

    private func value(_ random: inout SplitMix64) -> String {
        // So that no file system and no snapshot makes it small.
        var text = ""
        while text.utf8.count < Self.valueBytes { text += String(random.next(), radix: 36) }
        return text
    }

    // MARK: Watches

    private func watch(_ number: Int) {
        let isStream = number % 2 == 0
        let path = "/v2/keys/soak/\(number % 20)?wait=true&recursive=true"
        eachConnection(from: number, lost: "watches lost") { client in
            while goesOn {
                try client.send("GET", path + (isStream ? "&stream=true" : ""))
                _ = try client.readHead()
                while goesOn, try client.readChunk() != nil { count("events") }
            }
        }
    }
}
