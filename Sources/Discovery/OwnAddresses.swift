package import Cluster

/// This member's addresses, to tell whether a discovery URL leads back to it.
///
/// A cluster cannot be discovered by itself: the member answers nobody before the cluster is formed,
/// so it would ask itself for ever. The token must lie on a cluster that runs already.
package struct OwnAddresses: Sendable {
    /// Flags with the URLs they were given.
    package let urls: [(flag: String, url: EndpointURL)]

    package init(_ lists: [(flag: String, urls: [EndpointURL])]) {
        urls = lists.flatMap { list in list.urls.map { (list.flag, $0) } }
    }

    /// What had better be said before anything is registered at `url`.
    package func warnings(
        about url: ServiceURL, resolve: HostResolver.Resolve
    ) -> [DiscoveryNote] {
        if let note = leadsBack(url, resolve) { return [note] }
        return unreachable(from: url, resolve)
    }

    /// Addresses that others are told and that lead them to themselves. Where the service is on this
    /// machine, all members may be.
    private func unreachable(
        from url: ServiceURL, _ resolve: HostResolver.Resolve
    ) -> [DiscoveryNote] {
        let isServiceHere = (resolve(url.endpoint.host) ?? "").isLoopbackAddress
        return urls.filter { $0.flag.contains("advertise") }.compactMap { flag, own in
            let isHere = (resolve(own.host) ?? "").isLoopbackAddress
            guard own.isUnspecifiedHost || (isHere && !isServiceHere) else { return nil }
            return DiscoveryNote(
                .warning,
                """
                --\(flag) \(own) leads every other machine to itself: unless all members are on this \
                machine, start it with an address of it that the others can reach
                """)
        }
    }

    private func leadsBack(
        _ url: ServiceURL, _ resolve: HostResolver.Resolve
    ) -> DiscoveryNote? {
        let target = resolve(url.endpoint.host) ?? url.endpoint.host
        guard let own = urls.first(where: { leads(to: $0.url, target, url.endpoint, resolve) })
        else { return nil }
        return DiscoveryNote(
            .warning,
            """
            the discovery URL \(url) leads to this member itself (--\(own.flag) \(own.url)), which \
            answers only when its cluster is formed. The token must lie on another cluster that is \
            running already, or on a discovery service: start one with `kvd discovery`
            """)
    }

    private func leads(
        to own: EndpointURL, _ target: String, _ endpoint: EndpointURL,
        _ resolve: HostResolver.Resolve
    ) -> Bool {
        guard own.port == endpoint.port else { return false }
        if own.isUnspecifiedHost {
            // Listens everywhere: on loopback, and on whatever else is known to be ours.
            let hosts = urls.map { resolve($0.url.host) ?? $0.url.host }
            return target.isLoopbackAddress || hosts.contains(target)
        }
        return (resolve(own.host) ?? own.host) == target
    }
}

extension String {
    fileprivate var isLoopbackAddress: Bool { hasPrefix("127.") || self == "::1" }
}
