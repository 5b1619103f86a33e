import Foundation
import ProcessSupport
import Testing

/// `--discovery-srv` with a real DNS server on loopback.
@Suite(
    .enabled(if: Dnsmasq.program != nil, "dnsmasq is not installed: apt-get install dnsmasq-base"))
struct DNSDiscoveryTests {
    @Test func threeMembersFindEachOther() throws {
        let cluster = try prepare()
        let dns = try Dnsmasq(
            cluster.peerPorts[..<3].map { "_etcd-server._tcp.kvd.test,localhost,\($0)" })
        let found = try start(cluster, dns)
        for member in found.members { try member?.waitReady() }
        let list = try found.client(1).request("GET", "/v2/members").json["members"]
        #expect((list as? [Any])?.count == 3)
        let put = try found.client(0).request("PUT", "/v2/keys/foo", form: "value=bar")
        #expect(put.status == 201)
        let get = try found.client(2).request("GET", "/v2/keys/foo?quorum=true")
        #expect(get.node["value"] as? String == "bar")
        try found.waitForLog(
            0, "W | discovery: error querying DNS SRV records for _etcd-server-ssl lookup ")
        for port in cluster.peerPorts[..<3] {
            try found.waitForLog(
                0, "got bootstrap from DNS for etcd-server at http://localhost:\(port)")
        }
    }

    /// More records than a datagram has room for: the answer is truncated, and fetched by TCP.
    @Test func aLongAnswerComesByTCP() throws {
        let cluster = try prepare()
        let label = String(repeating: "long", count: 12)
        let far = (0..<30).map { "_etcd-server._tcp.kvd.test,\(label)\($0).kvd.test,2380" }
        let own = "_etcd-server._tcp.kvd.test,localhost,\(cluster.peerPorts[0])"
        let dns = try Dnsmasq(far + [own])
        let found = try start(cluster, dns, count: 1)
        try found.waitForLog(0, "got bootstrap from DNS for etcd-server at http://\(label)29.")
        try found.waitForLog(0, "m1=http://localhost:\(cluster.peerPorts[0])")
    }

    @Test func recordsWithoutThisMemberAreRefused() throws {
        let cluster = try prepare()
        let dns = try Dnsmasq(["_etcd-server._tcp.kvd.test,localhost,1"])
        let member = try cluster.process(0, adding: dns.flags)
        #expect(member.wait() == 1)
        #expect(
            member.log.contains(
                "C | etcdmain: error setting up initial cluster: cannot find local etcd member "
                    + "\"m1\" in SRV records"))
    }

    @Test func aDomainWithoutRecordsIsRefused() throws {
        let cluster = try prepare()
        let dns = try Dnsmasq([])
        let member = try cluster.process(0, adding: dns.flags)
        #expect(member.wait() == 1)
        #expect(
            member.log.contains(
                "error setting up initial cluster: SRV discovery failed: too many errors querying "
                    + "DNS SRV records"))
    }

    private func prepare() throws -> DiscoveredCluster {
        try DiscoveredCluster("", source: ["--discovery-srv", "kvd.test"])
    }

    private func start(
        _ cluster: DiscoveredCluster, _ dns: Dnsmasq, count: Int = 3
    ) throws -> DiscoveredCluster {
        for n in 0..<count { try cluster.start(n, adding: dns.flags) }
        return cluster
    }
}

/// A DNS server that knows the zone `kvd.test` and `localhost`.
final class Dnsmasq {
    static let program = DiscoveryHost.find("dnsmasq")

    let port: Int
    private let process = Process()
    private let leash = Pipe()

    /// - Parameter services: `NAME,HOST,PORT` each.
    init(_ services: [String]) throws {
        port = try FreePorts.take(1)[0]
        let program = try #require(Self.program)
        // Foundation takes a process for ended when it closes a socket that it inherited, and then
        // waits for its end, and for nobody else's. dnsmasq closes all it inherits; a shell does not.
        // It ends dnsmasq when this process closes the pipe, or ends.
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.standardInput = leash
        process.arguments =
            [
                "-c", #""$0" "$@" & cat; kill -9 $!"#, program.path,
                "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file", "--port=\(port)",
                "--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv", "--no-hosts",
                "--local=/kvd.test/", "--address=/kvd.test/127.0.0.1",
                "--address=/localhost/127.0.0.1", "--user=", "--group=",
            ] + services.map { "--srv-host=\($0)" }
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        // It listens by TCP too.
        try waitUntil("dnsmasq listens") { (try? LoopbackHTTP(port: port)) != nil }
    }

    deinit {
        try? leash.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    var flags: [String] { ["--dns-server", "127.0.0.1:\(port)"] }
}
