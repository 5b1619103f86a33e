import ClientAPI
import Cluster
import Configuration
import Discovery
import RaftModel
import Storage
import Transport

extension FuzzTarget {
    static let dns = FuzzTarget("dns", "answers of a DNS server") { input in
        let bytes = Array(input)
        guard let read = DiscoveryBytes.dnsAnswer(bytes) else { return false }
        guard let question = DiscoveryBytes.dnsQuestion(ofAnswer: bytes) else {
            throw FuzzFinding("an answer without a question: \(read)")
        }
        let asked = DiscoveryBytes.dnsQuestion(ofAnswer: question)
        try require(asked == question, "\(question) became \(String(describing: asked))")
        return true
    }

    /// Short texts: names of files, URLs, versions, times, headers, lines of files of the system.
    static let texts = FuzzTarget(
        "texts", "names of files, URLs, versions, times, headers",
        tokens: [
            "http://", "https://", "127.0.0.1", "[::1]", ":2380", "localhost", "=", ",", "/", "?",
            "#",
            "@", "%25", "0000000000000001", "-", ".wal", ".snap", ".ksnap", "2.3.8", "T", "Z",
            "+01:00",
            "2026-11-28", "nameserver ", "options timeout:", "export ", "\"", "text/plain", ";",
            "q=",
        ]
    ) { input in
        let text = String(decoding: input, as: UTF8.self)
        var accepted = false
        if let name = WALSegmentName(text) {
            accepted = true
            try require("\(name)" == text, "\(text) became \(name)")
        }
        if let name = SnapshotName(text) {
            accepted = true
            try require("\(name)" == text, "\(text) became \(name)")
        }
        if let url = try? EndpointURL(text) {
            accepted = true
            let again = try? EndpointURL("\(url)")
            try require(again == url, "\(url) became \(String(describing: again))")
            _ = (url.port, url.hostAndPort, url.isLoopbackHost, url.isUnspecifiedHost)
        }
        if let url = try? ServiceURL(text) {
            let again = try? ServiceURL("\(url)")
            try require(again == url, "\(url) became \(String(describing: again))")
        }
        if let cluster = try? InitialCluster(text) {
            accepted = true
            let again = try? InitialCluster("\(cluster)")
            try require(again == cluster, "\(cluster) became \(String(describing: again))")
            _ = (cluster.duplicateURLs, cluster.makeMembers(token: text))
        }
        if let version = SemanticVersion(text) {
            accepted = true
            try require(SemanticVersion("\(version)") == version, "\(text) became \(version)")
        }
        if let time = CivilTime.unixNanoseconds(rfc3339: text) {
            accepted = true
            let written = CivilTime(unixNanoseconds: time).rfc3339
            let again = CivilTime.unixNanoseconds(rfc3339: written)
            try require(again == time, "\(text) was \(time), then \(written)")
        }
        let features = PeerFeatures(header: text)
        try require(PeerFeatures(header: features.header) == features, "\(text): \(features)")
        _ = RequestBytes.mediaType(text)
        _ = DiscoveryBytes.resolverServers(text)
        _ = Machine.parse(environmentFile: text)
        accepted =
            DiscoveryBytes.tokenRoute(method: "GET", path: text, query: text) != nil || accepted
        return accepted
    }

    /// Words of a command line, a line each; lines that begin with `KVD_` or `ETCD_` are of the
    /// environment.
    static let commandLine = {
        var target = FuzzTarget(
            "command-line", "flags and environment",
            tokens: [
                "\n", "--", "-", "=", "ETCD_", "KVD_", "-name", "-data-dir", "-initial-cluster",
                "-listen-client-urls", "-discovery", "-proxy", "-cors", "-snapshot-count",
                "-heartbeat-interval",
                "-election-timeout", "-peers", "-peer-addr", "-addr", "-bind-addr",
                "-initial-cluster-state",
                "-discovery-srv", "-version", "-help", "http://127.0.0.1:2380", "m1=", ",",
                "$private_ipv4",
                "$public_ipv4", "true", "-interface", "discovery", "18446744073709551615",
                "-force-new-cluster",
            ]
        ) { input in
            let lines = String(decoding: input, as: UTF8.self)
                .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            var arguments: [String] = []
            var environment: [String: String] = [:]
            for line in lines {
                let parts = line.split(separator: "=", maxSplits: 1).map(String.init)
                if line.hasPrefix("ETCD_") || line.hasPrefix("KVD_"), parts.count == 2 {
                    environment[parts[0]] = parts[1]
                } else {
                    arguments.append(line)
                }
            }
            let result = Configuration.read(
                arguments: arguments, environment: environment, machine: machine)
            guard case .run(let configuration) = result else { return false }
            _ = configuration.findings(machine)
            return true
        }
        (target.inputBytesMax, target.beginningsMax) = (1024, 16)
        // Every flag has its texts, and the parser makes a type of each.
        (target.memoryPerByte, target.memoryBytesBeside) = (1024, 4 << 20)
        return target
    }()

    private static let machine = Machine(
        environmentFile: ["COREOS_PUBLIC_IPV4": "10.0.0.5"], defaultInterface: { "eth0" },
        address: { $0 == "eth0" ? "10.0.0.5" : nil },
        resolve: { $0 == "localhost" ? "127.0.0.1" : nil })
}
