internal import Cluster

/// Whether the addresses that others are told to use lead to this member.
///
///     http://:2380            to nowhere                        always a fault
///     http://0.0.0.0:2380     each to itself                    with more than one member
///     http://127.0.0.1:2380   each to itself, unless all        with more than one member
///                             members are on one machine
///
/// A member that lives already is started all the same, with a warning: it may have run so for years.
extension ServerConfiguration {
    func addressFindings(isFirstStart: Bool, doubtful: Set<String>) -> Findings {
        var findings = Findings()
        if isFirstStart, !doubtful.contains(Advertised.peer.flag) {
            findings.add(check(.peer, advertisedPeerURLs, isFirstStart: true))
        }
        if !doubtful.contains(Advertised.client.flag) {
            findings.add(check(.client, advertisedClientURLs, isFirstStart: isFirstStart))
        }
        if isFirstStart, !doubtful.contains("initial-cluster") {
            findings.faults += faultsOfOthers
        }
        return findings
    }

    private enum Advertised {
        case peer
        case client

        var flag: String {
            self == .peer ? "initial-advertise-peer-urls" : "advertise-client-urls"
        }

        /// Those that cloud-config's users write there, the usual one first.
        var variables: [String] {
            let names = ["COREOS_PRIVATE_IPV4", "COREOS_PUBLIC_IPV4"]
            return self == .peer ? names : names.reversed()
        }
    }

    private enum Problem {
        case noHost
        case everyAddress
        case ownMachine

        var text: String {
            switch self {
            case .noHost: "has no host"
            case .everyAddress: "leads every other machine to itself"
            case .ownMachine: "leads every other machine to itself, and the members are on several"
            }
        }
    }

    private func problem(_ url: EndpointURL) -> Problem? {
        if url.host.isEmpty { return .noHost }
        guard initialCluster.members.count > 1 else { return nil }
        if url.isUnspecifiedHost { return .everyAddress }
        return url.isLoopbackHost && !areAllOnThisMachine ? .ownMachine : nil
    }

    /// Whether all members have addresses of the machine that asks, as in a trial.
    private var areAllOnThisMachine: Bool {
        initialCluster.urls.allSatisfy { $0.isLoopbackHost || $0.isUnspecifiedHost }
    }

    private func check(
        _ kind: Advertised, _ urls: [EndpointURL], isFirstStart: Bool
    ) -> Findings {
        var findings = Findings()
        let bad = urls.compactMap { url in problem(url).map { (url, $0) } }
        guard let first = bad.first else { return findings }
        let corrected = urls.map { url in
            problem(url) == nil
                ? "\(url)" : "\(url.scheme)://\(exampleAddress):\(url.portText)"
        }
        var seen: Set<String> = []
        let line = line(
            kind.flag, corrected.filter { seen.insert($0).inserted }.joined(separator: ","))
        let text = "\(spelling(kind.flag)): \(first.0) \(first.1.text)"
        let advice = hint(kind, first.0, first.1) + "Set \(line)"
        // etcd's default is this machine's, and many run so on purpose.
        let isGiven = setFlags.contains(kind.flag)
        if first.1 == .noHost || (isFirstStart && isGiven) {
            findings.faults = [ConfigurationFault(.check, text, advice: advice)]
        } else if isGiven || kind == .client {
            findings.warnings = [ConfigurationNote(.warning, "\(text). \(advice)")]
        }
        return findings
    }

    /// Why there is no host, if cloud-config is likely to have made the URL.
    private func hint(_ kind: Advertised, _ url: EndpointURL, _ problem: Problem) -> String {
        let empty = kind.variables.filter(emptyAddressVariables.contains)
        guard problem == .noHost, let variable = empty.first,
            let name = AddressPlaceholders.variables.first(where: { $0.value == variable })?.key
        else { return "" }
        let template = "\(url.scheme)://$\(name):\(url.portText)"
        return
            "\(empty.joined(separator: " and ")) \(empty.count > 1 ? "have" : "has") no value, neither "
            + "in /etc/environment nor in the environment: cloud-config makes \(url) of \(template) "
            + "then. Write \(variable)=\(exampleAddress) in /etc/environment. "
    }

    /// URLs of other members in `--initial-cluster`.
    private var faultsOfOthers: [ConfigurationFault] {
        guard case .cluster(let cluster) = bootstrap else { return [] }
        return cluster.members.filter { $0.name != name }.flatMap { member in
            member.urls.compactMap { url in
                guard let problem = problem(url) else { return nil }
                let host = "ADDRESS-OF-\(member.name)"
                return ConfigurationFault(
                    .check,
                    "\(spelling("initial-cluster")): \(member.name)=\(url) \(problem.text)",
                    advice: "Write \(member.name)=\(url.scheme)://\(host):\(url.portText) there")
            }
        }
    }
}
