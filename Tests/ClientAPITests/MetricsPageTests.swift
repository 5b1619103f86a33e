import GoldenSupport
import KVServer
import NIOPosix
import Testing

@testable import ClientAPI

@Suite struct MetricsPageTests {
    private static func page(_ node: SingleNode) throws -> [String: Double] {
        let answer = try RawClient(port: node.port).request("GET", "/metrics")
        #expect(answer.status == 200)
        #expect(answer["Content-Type"] == "text/plain; version=0.0.4")
        var samples: [String: Double] = [:]
        var family = ""
        for line in answer.text.split(separator: "\n") {
            if line.hasPrefix("# TYPE ") {
                family = String(line.split(separator: " ")[2])
            } else if !line.hasPrefix("#") {
                let cut = try #require(line.lastIndex(of: " "))
                let name = String(line[..<cut])
                // Each sample belongs to the family above it, comes once, and is a number.
                #expect(name.hasPrefix(family) && samples[name] == nil, "\(line)")
                let value = Double(String(line[line.index(after: cut)...]))
                #expect(value != nil, "\(line)")
                samples[name] = value
            }
        }
        return samples
    }

    @Test func countsWhatHappens() throws {
        let node = try SingleNode(on: MultiThreadedEventLoopGroup.singleton.next())
        defer { try? node.stop() }
        // Beside etcd members a quorum read goes through the log, and each member counts it.
        try node.onLoop { engine, _ in engine.setAllMembersAreKvd(true) }
        let client = { try RawClient(port: node.port).request($0, $1, form: $2) }
        // The first write waits for a leader.
        #expect(try client("PUT", "/v2/keys/a", "value=1").status == 201)
        let before = try Self.page(node)
        for _ in 0..<3 { #expect(try client("GET", "/v2/keys/a", nil).status == 200) }
        #expect(try client("GET", "/v2/keys/a?quorum=true", nil).status == 200)
        #expect(try client("GET", "/v2/keys/none", nil).status == 404)
        #expect(try client("PUT", "/v2/keys/a", "value=2").status == 200)
        #expect(try client("DELETE", "/v2/keys/a?prevValue=x", nil).status == 412)
        #expect(try client("GET", "/v2/keys/a?ttl=x", nil).status == 400)
        #expect(try client("GET", "/nowhere", nil).status == 404)
        let after = try Self.page(node)
        func moved(_ name: String) -> Double { after[name, default: 0] - before[name, default: 0] }
        #expect(moved("etcd_http_received_total{method=\"GET\"}") == 4)
        #expect(moved("etcd_http_received_total{method=\"QGET\"}") == 1)
        #expect(moved("etcd_http_received_total{method=\"PUT\"}") == 1)
        #expect(moved("etcd_http_failed_total{method=\"GET\",code=\"404\"}") == 1)
        #expect(moved("etcd_http_failed_total{method=\"DELETE\",code=\"412\"}") == 1)
        #expect(moved("etcd_http_successful_duration_second_count{method=\"GET\"}") == 3)
        #expect(moved("etcd_store_reads_total{action=\"get\"}") == 4)
        #expect(moved("etcd_store_writes_total{action=\"set\"}") == 1)
        #expect(moved("etcd_store_writes_failed_total{action=\"compareAndDelete\"}") == 1)
        #expect(moved("etcd_server_proposal_durations_seconds_count") == 1)
        #expect(moved("kvd_http_failed_total{route=\"other\",code=\"404\"}") == 1)
        #expect(after["kvd_raft_is_leader"] == 1 && after["process_open_fds", default: 0] > 3)
        #expect(after["process_resident_memory_bytes", default: 0] > 1_000_000)
    }

    /// A lone client is waited for after a while, not one of several, and not where that never pays.
    @Test func attentionNeedsAStreak() {
        var attention = Attention(processorCount: 2)
        var waits = 0
        for i in 0..<200 where attention.isWorthwhile(after: UInt32(i % 2)) { waits += 1 }
        #expect(waits == 0)
        for _ in 0..<200 where attention.isWorthwhile(after: 7) { waits += 1 }
        #expect(waits > 150)
        // A writer beside it is never waited for, but ends its streak.
        for _ in 0..<200 {
            attention.asked(by: 8)
            if attention.isWorthwhile(after: 7) { Issue.record("it is not alone") }
        }
        var alone = Attention(processorCount: 1)
        for _ in 0..<200 where alone.isWorthwhile(after: 7) {
            Issue.record("it needs the processor")
        }
    }

    @Test func missesMakeItRarer() throws {
        var ends: [CInt] = [0, 0]
        try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { ends.forEach { _ = close($0) } }
        var attention = Attention(processorCount: 2)
        func waits() -> Int {
            var count = 0
            for _ in 0..<2000 where attention.isWorthwhile(after: 1) {
                attention.wait(for: ends[0])
                count += 1
            }
            return count
        }
        // Nothing ever comes: three tries, then ones ever further apart.
        #expect((3...20).contains(waits()))
        var byte: UInt8 = 1
        #expect(write(ends[1], &byte, 1) == 1)
        for _ in 0..<3000 where attention.isWorthwhile(after: 1) { attention.wait(for: ends[0]) }
        #expect(waits() == 2000)
    }
}

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif
