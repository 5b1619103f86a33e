package import Cluster

/// The flags about discovery: what they default to in a discovery service, and their own checks.
enum DiscoveryFlags {
    /// Ports of their own, so that a service runs beside a member on one machine; and what is
    /// listened on is advertised, unless told otherwise.
    static func addDefaults(to values: inout FlagValues) {
        guard values.role == .discoveryService else { return }
        func add(_ name: String, _ text: String) {
            if !values.isSet(name) { values.set(name, to: text, by: .derived(from: "discovery")) }
        }
        add("name", "discovery")
        add("listen-client-urls", "http://localhost:8087")
        add("listen-peer-urls", "http://localhost:8088")
        add("advertise-client-urls", values.text("listen-client-urls"))
        add("initial-advertise-peer-urls", values.text("listen-peer-urls"))
        guard !values.isSet("discovery"), !values.isSet("discovery-srv") else { return }
        let urls = values.text("initial-advertise-peer-urls").split(separator: ",")
        let pairs = urls.map { "\(values.text("name"))=\($0)" }
        add("initial-cluster", pairs.joined(separator: ","))
    }

    static func faults(in values: FlagValues) -> [ConfigurationFault] {
        var faults: [ConfigurationFault] = []
        if let fault = tokenFault(values.text("discovery")) { faults.append(fault) }
        let proxy = values.text("discovery-proxy")
        if !proxy.isEmpty, ServerConfiguration.proxyURL(proxy) == nil {
            faults.append(
                ConfigurationFault(
                    .check, "-discovery-proxy \(proxy) is not the http URL of a proxy",
                    advice: "Write it like http://10.0.0.1:3128."))
        }
        let advertised = values.text("advertise-url")
        if !advertised.isEmpty, (try? ServiceURL(advertised)) == nil {
            faults.append(
                ConfigurationFault(
                    .check, "-advertise-url \(advertised) is not an http or https URL",
                    advice: "Write it like http://discovery.example:8087."))
        }
        let serviceFlags = ["token-ttl", "advertise-url"].filter(values.isSet)
        if values.role == .member, let flag = serviceFlags.first {
            faults.append(
                ConfigurationFault(
                    .check, "-\(flag) is a flag of the discovery service",
                    advice: "Start that with: kvd discovery -\(flag) …"))
        }
        return faults
    }

    private static func tokenFault(_ text: String) -> ConfigurationFault? {
        guard !text.isEmpty else { return nil }
        let url: ServiceURL
        do throws(EndpointURLError) { url = try ServiceURL(text) } catch {
            return ConfigurationFault(
                .check, "-discovery is not a URL: \(error)", advice: error.advice)
        }
        guard url.path.isEmpty else { return nil }
        return ConfigurationFault(
            .check, "-discovery \(text) has no token",
            advice: "Get a whole URL from the service: curl '\(url.endpoint)/new?size=3'.")
    }
}

extension ServerConfiguration {
    /// The URL of `--discovery`, which has been checked; nil without one.
    package var discoveryURL: ServiceURL? {
        guard case .discovery(let text) = bootstrap else { return nil }
        return try? ServiceURL(text)
    }

    /// The URL of `--discovery-proxy`, which has been checked; nil without one.
    package var discoveryProxyURL: EndpointURL? { discoveryProxy.flatMap(Self.proxyURL) }

    /// As in etcd, `http://` may be left out.
    static func proxyURL(_ text: String) -> EndpointURL? {
        guard let url = try? ServiceURL(text.hasPrefix("http") ? text : "http://\(text)"),
            url.endpoint.scheme == .http, url.path.isEmpty
        else { return nil }
        return url.endpoint
    }
}
