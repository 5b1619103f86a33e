import Foundation
import ProcessSupport
import Testing

/// New clusters that find each other by a token: on our service, on a plain kvd, on a real etcd.
@Suite struct DiscoveryTests {
    @Test func byATokenOfOurService() throws {
        let service = try DiscoveryHost.service()
        let cluster = try DiscoveredCluster(try service.newToken(size: 3))
        for n in 0..<3 { try cluster.start(n) }
        try cluster.checkFormed()
        try checkFourthIsRefused(cluster)
        let page = try service.client().request("GET", "/?token=\(cluster.token)")
        #expect(page.text.contains("members: 3 of 3") && page.text.contains("expires: never"))
    }

    @Test func byATokenOnAPlainKvd() throws {
        try formsAClusterOfThree(by: DiscoveryHost.member())
    }

    @Test(
        .enabled(
            if: DiscoveryHost.etcd != nil, "etcd is not installed: apt-get install etcd-server"))
    func byATokenOnARealEtcd() throws {
        try formsAClusterOfThree(
            by: DiscoveryHost.member(executable: #require(DiscoveryHost.etcd)))
    }

    /// The other way round: etcds are the ones who form a cluster with our service.
    @Test(
        .enabled(
            if: DiscoveryHost.etcd != nil, "etcd is not installed: apt-get install etcd-server"))
    func realEtcdsByATokenOfOurService() throws {
        let service = try DiscoveryHost.service()
        let cluster = try DiscoveredCluster(
            try service.newToken(size: 3), executable: #require(DiscoveryHost.etcd),
            extra: ["--enable-v2"])
        for n in 0..<3 { try cluster.start(n) }
        for member in cluster.members { try member?.waitReady() }
        let list = try cluster.client(0).request("GET", "/v2/members")
        let members = try #require(list.json["members"] as? [[String: Any]])
        #expect(Set(members.compactMap { $0["name"] as? String }) == ["m1", "m2", "m3"])
    }

    private func formsAClusterOfThree(by host: DiscoveryHost) throws {
        let cluster = try DiscoveredCluster(try host.makeToken("mine", size: 3))
        for n in 0..<3 { try cluster.start(n) }
        try cluster.checkFormed()
        try checkFourthIsRefused(cluster)
    }

    private func checkFourthIsRefused(_ cluster: DiscoveredCluster) throws {
        let late = try cluster.process(3, adding: ["--discovery-fallback", "exit"])
        #expect(late.wait() == 1)
        for line in [
            "E | etcdmain: failed to join discovery cluster (discovery: cluster is full)",
            "I | etcdmain: discovery token \(cluster.url) was used, but failed to bootstrap",
            "I | etcdmain: please generate a new discovery token and try to bootstrap again.",
        ] {
            #expect(late.log.contains(line), "\(late.log)")
        }
        let other = try cluster.process(4)
        try becomesProxy(other)
        #expect(other.log.contains("N | etcdmain: discovery cluster full, falling back to proxy"))
        #expect(other.log.contains("THIS PROCESS IS A PROXY, NOT A MEMBER"))
        // And at its next start: discovery is not asked again.
        other.kill(SIGKILL)
        other.wait()
        let again = try cluster.process(4)
        try becomesProxy(again)
        #expect(again.log.contains("W | etcdmain: discovery token ignored since the proxy has"))
        #expect(again.log.contains("THIS PROCESS IS A PROXY, NOT A MEMBER"))
    }

    private func becomesProxy(_ process: KvdProcess) throws {
        try waitUntil("a write through the proxy; its log:\n\(process.log)") {
            guard process.isRunning, process.log.contains("proxy: endpoints found [") else {
                return false
            }
            let put = try LoopbackHTTP(port: process.clientPort)
                .request("PUT", "/v2/keys/by-proxy", form: "value=1")
            return put.status < 300
        }
    }

    // MARK: - Starts that are cut short

    @Test func aMemberKilledWhileItWaitsResumes() throws {
        let service = try DiscoveryHost.service()
        let cluster = try DiscoveredCluster(try service.newToken(size: 3))
        try cluster.start(0)
        try cluster.waitForLog(0, "found 1 peer(s), waiting for 2 more")
        cluster.killNine(0)
        // Once before the others have come, and once after.
        try cluster.start(0)
        try cluster.waitForLog(0, "going on with it")
        try cluster.waitForLog(0, "found 1 peer(s), waiting for 2 more")
        cluster.killNine(0)
        try cluster.start(1)
        try cluster.start(2)
        try cluster.waitForLog(2, "found 3 needed peer(s)")
        try cluster.start(0)
        try cluster.checkFormed()
    }

    /// It may have run, voted and forgotten: only its own data dir can tell, and that is gone.
    @Test func aMemberWithoutItsDataDirDoesNotPassForANewOne() throws {
        let service = try DiscoveryHost.service()
        let cluster = try DiscoveredCluster(try service.newToken(size: 3))
        try cluster.start(0)
        try cluster.waitForLog(0, "found 1 peer(s), waiting for 2 more")
        cluster.killNine(0)
        try FileManager.default.removeItem(atPath: cluster.dataDirectory(0))
        let again = try cluster.process(0)
        #expect(again.wait() == 1)
        #expect(
            again.log.contains(
                "member \"m1\" has previously registered with discovery service token "
                    + "(\(cluster.url))."))
    }

    @Test func aSignalEndsTheWaiting() throws {
        let service = try DiscoveryHost.service()
        let cluster = try DiscoveredCluster(try service.newToken(size: 3))
        try cluster.start(0)
        try cluster.waitForLog(0, "found 1 peer(s), waiting for 2 more")
        let member = try #require(cluster.members[0])
        member.kill(SIGTERM)
        #expect(member.wait() == -SIGTERM)
    }

    @Test func aTokenIsIgnoredOnceThereIsALog() throws {
        let service = try DiscoveryHost.service()
        let cluster = try DiscoveredCluster(try service.newToken(size: 1))
        try cluster.start(0)
        try cluster.members[0]?.waitReady()
        cluster.killNine(0)
        service.process.kill(SIGKILL)
        service.process.wait()
        try cluster.start(0)
        try cluster.members[0]?.waitReady()
        try cluster.waitForLog(
            0, "discovery token ignored since a cluster has already been initialized.")
    }

    // MARK: - What people get wrong

    @Test func aUrlThatLeadsToTheMemberItselfIsWarnedAbout() throws {
        let ports = try FreePorts.take(1)
        let url = "http://127.0.0.1:\(ports[0])/v2/keys/_etcd/registry/tok"
        let cluster = try DiscoveredCluster(url, clientPorts: [ports[0]])
        try cluster.start(0)
        try cluster.waitForLog(
            0,
            "W | discovery: the discovery URL \(url) leads to this member itself "
                + "(--advertise-client-urls http://127.0.0.1:\(ports[0]))")
        try cluster.waitForLog(0, "retrying in 2s")
    }

    @Test func aPortInUseIsFoundBeforeTheTokenIsSpoilt() throws {
        let service = try DiscoveryHost.service()
        let url = try service.newToken(size: 3)
        let cluster = try DiscoveredCluster(url, clientPorts: [service.process.clientPort])
        let member = try cluster.process(0)
        #expect(member.wait() == 1)
        #expect(member.log.contains("bind: address already in use"))
        let page = try service.client().request("GET", "/?token=\(cluster.token)")
        #expect(page.text.contains("members: 0 of 3"))
    }
}

/// The article's session: a URL from the service, members started with it, a key written on one and
/// read on another.
extension ArticleTests {
    @Test func aClusterFormsByADiscoveryURL() throws {
        let service = try DiscoveryHost.service()
        // $ curl 'http://127.0.0.1:8087/new?size=2'
        let answer = try service.client().request("GET", "/new?size=2")
        #expect(answer.status == 200)
        #expect(answer.headers["content-type"] == "text/plain; charset=utf-8")
        let shape = /http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}/
        #expect(answer.text.wholeMatch(of: shape) != nil, "\(answer.text)")
        #expect(answer.headers["x-kvd-token-expires"]?.hasSuffix("GMT") == true)

        let cluster = try DiscoveredCluster(answer.text, size: 2, usesSingleDashes: true)
        try cluster.start(0)
        try cluster.waitForLog(0, "discovery: found self")
        try cluster.waitForLog(0, "discovery: found 1 peer(s), waiting for 1 more")
        try cluster.start(1)
        for n in 0..<2 { try cluster.members[n]?.waitReady() }
        try cluster.waitForLog(0, "discovery: found 2 needed peer(s)")

        let put = try cluster.client(0).request(
            "PUT", "/v2/keys/message", form: "value=Hello world")
        #expect(put.status == 201)
        let get = try cluster.client(1).request("GET", "/v2/keys/message?quorum=true")
        #expect(get.node["value"] as? String == "Hello world")
        let machines = try cluster.client(1).request("GET", "/v2/machines").text
        #expect(machines.split(separator: ",").count == 2)
    }
}
