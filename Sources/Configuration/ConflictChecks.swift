internal import Cluster

/// etcd's checks after parsing, in its order. Source: `reference/cli.md` §3.
enum ConflictChecks {
    /// Longest election timeout that etcd accepts, in milliseconds.
    static let electionTimeoutMillisecondsMax: UInt64 = 50_000

    /// Finds the faults, and gives URL flags the values that old address flags stand for.
    static func faults(in values: inout FlagValues) -> [ConfigurationFault] {
        var faults = leftOverWords(values) + bootstrapFlags(values)
        faults += translateOldAddresses(&values)
        faults += advertising(values) + timeouts(values) + DiscoveryFlags.faults(in: values)
        return faults
    }

    private static func leftOverWords(_ values: FlagValues) -> [ConfigurationFault] {
        guard let word = values.leftOverWords.first else { return [] }
        let advice = values.booleanBeforeLeftOver.map {
            "A flag like -\($0) takes no separate word: write -\($0)=\(word)."
        }
        return [ConfigurationFault(.check, "'\(word)' is not a valid flag", advice: advice)]
    }

    private static func bootstrapFlags(_ values: FlagValues) -> [ConfigurationFault] {
        let set = ["discovery", "initial-cluster", "discovery-srv"].filter(values.isSet)
        guard set.count > 1 else { return [] }
        let text =
            "multiple discovery or bootstrap flags are set. "
            + "Choose one of \"initial-cluster\", \"discovery\" or \"discovery-srv\""
        let names = set.map { "-\($0)" }.joined(separator: " and ")
        return [ConfigurationFault(.check, text, advice: "\(names) are set.")]
    }

    private static func translateOldAddresses(
        _ values: inout FlagValues
    ) -> [ConfigurationFault] {
        for (addr, bind, urls) in [
            ("peer-addr", "peer-bind-addr", "listen-peer-urls"),
            ("addr", "bind-addr", "listen-client-urls"),
        ] {
            // An address to advertise alone also says which port to listen on.
            let isImplied = values.isSet(addr) && !values.isSet(bind) && !values.isSet(urls)
            guard isImplied, let address = try? OldAddress(values.text(addr)) else { continue }
            let everywhere = OldAddress.everywhere(port: address.port)
            let scheme = scheme(for: bind, values)
            values.set(urls, to: "\(scheme)://\(everywhere)", by: .derived(from: addr))
        }
        var faults: [ConfigurationFault] = []
        for addr in ["peer-bind-addr", "peer-addr", "bind-addr", "addr"] where values.isSet(addr) {
            guard case .oldAddress(let urls)? = FlagTable.flag(addr)?.kind else {
                preconditionFailure("\(addr) is an old address flag")
            }
            guard !values.isSet(urls) else {
                let text = "Set only one of flags -\(urls) and -\(addr)"
                faults.append(ConfigurationFault(.check, text, advice: "Keep -\(urls)."))
                continue
            }
            let url = "\(scheme(for: addr, values))://\(values.text(addr))"
            values.set(urls, to: url, by: .derived(from: addr))
        }
        return faults
    }

    private static func scheme(for addr: String, _ values: FlagValues) -> String {
        let prefix = addr.hasPrefix("peer-") ? "peer-" : ""
        let files = [values.text(prefix + "cert-file"), values.text(prefix + "key-file")]
        return files.allSatisfy(\.isEmpty) ? "http" : "https"
    }

    private static func advertising(_ values: FlagValues) -> [ConfigurationFault] {
        let mayFallBack =
            values.isSet("discovery") && values.text("discovery-fallback") == "proxy"
        let mayBeProxy = values.text("proxy") != "off" || mayFallBack
        guard !mayBeProxy, values.role == .member, values.isSet("listen-client-urls"),
            !values.isSet("advertise-client-urls")
        else { return [] }
        let text = "-advertise-client-urls is required when -listen-client-urls is set explicitly"
        let second =
            "When listening on specific address(es), this etcd process must advertise "
            + "accessible url(s) to each connected client."
        let listening = (try? EndpointURL.list(values.text("listen-client-urls"))) ?? []
        // Where a member listens on every address, no other machine can use that as its URL.
        let example = listening.map { url in
            url.isUnspecifiedHost ? "\(url.scheme)://THIS-HOST:\(url.portText)" : "\(url)"
        }
        let advice = "Add -advertise-client-urls \(example.joined(separator: ","))."
        return [ConfigurationFault(.check, text, second: second, advice: advice)]
    }

    private static func timeouts(_ values: FlagValues) -> [ConfigurationFault] {
        guard let heartbeat = UInt64(values.text("heartbeat-interval")),
            let election = UInt64(values.text("election-timeout"))
        else { preconditionFailure("number flags are checked when they are set") }
        var faults: [ConfigurationFault] = []
        if heartbeat == 0 {
            // etcd divides by it and panics.
            let text = "-heartbeat-interval[0ms] should be at least 1ms"
            faults.append(ConfigurationFault(.check, text, advice: "The default is 100."))
        }
        let (least, overflows) = heartbeat.multipliedReportingOverflow(by: 5)
        if overflows || least > election {
            let text =
                "-election-timeout[\(election)ms] should be at least as 5 times as "
                + "-heartbeat-interval[\(heartbeat)ms]"
            let advice = overflows ? nil : "Set -election-timeout to \(least) or more."
            faults.append(ConfigurationFault(.check, text, advice: advice))
        }
        if election > electionTimeoutMillisecondsMax {
            let text =
                "-election-timeout[\(election)ms] is too long, and should be set less than "
                + "\(electionTimeoutMillisecondsMax)ms"
            faults.append(ConfigurationFault(.check, text))
        }
        return faults
    }
}
