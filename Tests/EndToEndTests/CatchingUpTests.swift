import Foundation
import ProcessSupport
import Testing

/// A member gets a snapshot over a connection that does not hold, from real processes.
@Suite(.serialized) struct CatchingUpTests {
    /// Of values that do not compress: some 6 MB.
    private static let keyCount = 100
    private static let valueBytes = 60_000

    private let folder: TemporaryFolder
    private let clientPorts: [Int]
    private let peerPorts: [Int]
    private let proxyPort: Int

    init() throws {
        folder = try TemporaryFolder()
        let ports = try FreePorts.take(7)
        (clientPorts, peerPorts) = (Array(ports[0..<3]), Array(ports[3..<6]))
        proxyPort = ports[6]
    }

    /// The others reach the third member through the proxy.
    private func start(_ n: Int) throws -> KvdProcess {
        let advertised = [peerPorts[0], peerPorts[1], proxyPort]
        let cluster = advertised.enumerated().map { "m\($0 + 1)=http://127.0.0.1:\($1)" }
        let client = "http://127.0.0.1:\(clientPorts[n])"
        return try KvdProcess(
            arguments: [
                "--name", "m\(n + 1)", "--data-dir", folder.path("m\(n + 1).etcd"),
                "--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", "http://127.0.0.1:\(peerPorts[n])",
                "--initial-advertise-peer-urls", "http://127.0.0.1:\(advertised[n])",
                "--initial-cluster", cluster.joined(separator: ","),
                "--heartbeat-interval", "20", "--election-timeout", "200",
                "--snapshot-count", "50",
            ],
            clientPort: clientPorts[n], logPath: folder.path("m\(n + 1).log"))
    }

    private static func value(_ n: Int) -> String {
        var state = UInt64(n) &+ 1
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
        let bytes = (0..<valueBytes).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return letters[Int(state >> 33) % letters.count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Three members that hold the values, the third of them stopped meanwhile, so that it needs a
    /// snapshot; it is started by `body`.
    private func withLaggingMember(
        _ mishaps: [TransferProxy.Mishap],
        _ body: (TransferProxy, [KvdProcess]) throws -> Void
    ) throws {
        let proxy = try TransferProxy(port: proxyPort, to: peerPorts[2], mishaps)
        defer { proxy.stop() }
        var members = try (0..<3).map { try start($0) }
        for member in members { try member.waitReady() }
        members[2].kill(SIGKILL)
        members[2].wait()
        let client = try LoopbackHTTP(port: clientPorts[0])
        for n in 0..<Self.keyCount {
            let put = try client.request("PUT", "/v2/keys/\(n)", form: "value=\(Self.value(n))")
            try #require(put.status == 201, "\(put.text)")
        }
        // A log begins behind the snapshot that a start finds.
        for n in 0..<2 {
            try waitUntil("a snapshot of \(n)") { members[n].log.contains("saved snapshot") }
            members[n].kill(SIGKILL)
            members[n].wait()
            members[n] = try start(n)
        }
        for n in 0..<2 { try members[n].waitReady() }
        try body(proxy, members)
    }

    private func waitForAll(on n: Int) throws {
        for key in [0, Self.keyCount / 2, Self.keyCount - 1] {
            try waitUntil("key \(key) on \(n)", within: .seconds(60)) {
                guard let client = try? LoopbackHTTP(port: clientPorts[n]),
                    let get = try? client.request("GET", "/v2/keys/\(key)")
                else { return false }
                return get.node["value"] as? String == Self.value(key)
            }
        }
    }

    @Test func goesOnWhereItWasCutOffAndBeginsAnewWhenDamaged() throws {
        let mishaps: [TransferProxy.Mishap] = [
            .cut(after: 3_000_000), .cut(after: 200_000), .flip(at: 500_000),
        ]
        try withLaggingMember(mishaps) { proxy, members in
            let third = try start(2)
            try waitForAll(on: 2)
            #expect(third.log.contains("took a snapshot at index"))
            let passed = proxy.passedBytes
            #expect(passed.count >= 4, "\(passed)")
            guard passed.count >= 4 else { return }
            // What the first two brought was not sent again by the third, which ended the file.
            let whole = passed[3]
            #expect(passed[0] + passed[1] + passed[2] < whole + whole / 5, "\(passed)")
            // It was damaged, which is found at the end.
            #expect(third.log.contains("is given up"))
            #expect(whole > 5_000_000)
            let log = members[0].log + members[1].log
            #expect(log.contains(", from byte "))
        }
    }

    /// kill -9 of the receiver in the middle of it.
    @Test func goesOnWhereItWasAfterARestart() throws {
        try withLaggingMember([.stall(at: 4_000_000)]) { proxy, members in
            let snapshots = folder.path("m3.etcd/member/snap")
            func partial() throws -> (name: String, bytes: Int)? {
                let names = try FileManager.default.contentsOfDirectory(atPath: snapshots)
                guard let name = names.first(where: { $0.hasSuffix(".part") }) else { return nil }
                let file = try FileManager.default.attributesOfItem(
                    atPath: "\(snapshots)/\(name)")
                return (name, file[.size] as? Int ?? 0)
            }
            let third = try start(2)
            // All that passes until it is stuck has been written.
            try waitUntil("the middle of it", within: .seconds(60)) {
                try partial().map { $0.bytes > 3_500_000 } ?? false
            }
            third.kill(SIGKILL)
            third.wait()
            let left = try #require(try partial())
            proxy.release()
            let again = try start(2)
            try waitForAll(on: 2)
            #expect(again.log.contains("bytes of the snapshot"), "\(again.log)")
            let passed = proxy.passedBytes
            let last = try #require(passed.last)
            // But for a block that was not whole, it was sent the rest.
            #expect(passed.count >= 2 && last < 6_500_000 - 3_000_000, "\(passed), \(left)")
            let log = members[0].log + members[1].log
            #expect(log.contains(", from byte "), "\(log)")
            #expect(try partial() == nil)
            #expect(again.log.components(separatedBy: "took a snapshot at index").count == 2)
        }
    }

    /// What catches up holds up nobody.
    @Test func writesGoOnWhileATransferIsStuck() throws {
        try withLaggingMember([.stall(at: 1_000_000)]) { proxy, members in
            let third = try start(2)
            try waitUntil("the transfer", within: .seconds(60)) {
                proxy.passedBytes.first ?? 0 > 500_000
            }
            let client = try LoopbackHTTP(port: clientPorts[0], timeout: .seconds(3))
            let until = ContinuousClock.now + .seconds(3)
            // Not for so long that the sender gives the transfer up.
            let countMin = 300 / Patience.factor
            var count = 0
            while ContinuousClock.now < until || count < countMin {
                let put = try client.request("PUT", "/v2/keys/more/\(count)", form: "value=1")
                try #require(put.status == 201, "\(put.text)")
                count += 1
            }
            proxy.release()
            try waitForAll(on: 2)
            try waitUntil("what came meanwhile") {
                let get = try LoopbackHTTP(port: clientPorts[2])
                    .request("GET", "/v2/keys/more/\(count - 1)")
                return get.status == 200
            }
            // One was enough.
            #expect(proxy.passedBytes.count == 1, "\(proxy.passedBytes)")
            #expect(third.log.components(separatedBy: "took a snapshot at index").count == 2)
        }
    }
}
