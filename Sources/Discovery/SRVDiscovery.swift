package import Cluster
internal import Logging
internal import Logs
package import NIOCore

/// `--discovery-srv`: the first members from the SRV records of a domain.
///
///     _etcd-server-ssl._tcp.DOMAIN   peers by https
///     _etcd-server._tcp.DOMAIN       peers by http
///
/// The record that leads to one of this member's own peer URLs gets this member's name, all others
/// numbers in the order of the records. So every member has other names for the same cluster; ids
/// are hashes of URLs and do not depend on them. Source: `reference/discovery.md` §4.
package struct SRVDiscovery: Sendable {
    package typealias Look = (_ service: String) throws(DNSFault) -> [Target]

    /// What one record says.
    package struct Target: Equatable, Sendable {
        package var priority: UInt16
        package var weight: UInt16
        package var port: UInt16
        package var host: String

        package init(priority: UInt16, weight: UInt16, port: UInt16, host: String) {
            (self.priority, self.weight, self.port, self.host) = (priority, weight, port, host)
        }
    }

    package struct Found: Sendable {
        package var cluster: InitialCluster
        /// Warnings and what was found, to be logged.
        package var notes: [DiscoveryNote]
    }

    private static let services = [("etcd-server-ssl", "https"), ("etcd-server", "http")]

    /// - Parameters:
    ///   - name: nil for a proxy, which need not be among them.
    ///   - resolve: a host's first address, or nil.
    ///   - look: the records of a service of the domain.
    package static func cluster(
        name: String?, advertised: [EndpointURL], resolve: HostResolver.Resolve, look: Look
    ) throws(SRVFault) -> Found {
        let own = name == nil ? [] : try ownAddresses(advertised, resolve)
        var notes: [DiscoveryNote] = []
        var pairs: [String] = []
        var failuresCount = 0
        var number = 0
        var hasFoundSelf = false
        for (service, scheme) in services {
            let targets: [Target]
            do throws(DNSFault) { targets = try look("_\(service)._tcp") } catch {
                notes.append(
                    DiscoveryNote(
                        .warning, "error querying DNS SRV records for _\(service) \(error)"))
                failuresCount += 1
                continue
            }
            for target in targets.sorted(by: Self.comesFirst) {
                guard let address = resolve(target.host) else {
                    notes.append(
                        DiscoveryNote(
                            .warning,
                            "couldn't resolve host \(target.host) during SRV discovery"))
                    continue
                }
                var memberName = "\(number)"
                if let name, own.contains("\(address):\(target.port)") {
                    (memberName, hasFoundSelf) = (name, true)
                } else {
                    number += 1
                }
                let url = "\(scheme)://\(target.host):\(target.port)"
                pairs.append("\(memberName)=\(url)")
                notes.append(
                    DiscoveryNote(.notice, "got bootstrap from DNS for \(service) at \(url)"))
            }
        }
        guard failuresCount < services.count else { throw SRVFault(.noAnswer, notes: notes) }
        let text = pairs.joined(separator: ",")
        if let name, !hasFoundSelf {
            throw SRVFault(.selfMissing(name: name, advertised, records: text), notes: notes)
        }
        do throws(EndpointURLError) {
            return Found(cluster: try InitialCluster(text), notes: notes)
        } catch {
            throw SRVFault(.badURL(error), notes: notes)
        }
    }

    private static func ownAddresses(
        _ urls: [EndpointURL], _ resolve: HostResolver.Resolve
    ) throws(SRVFault) -> Set<String> {
        var result: Set<String> = []
        for url in urls {
            guard let address = resolve(url.host) else { throw SRVFault(.ownHost(url), notes: []) }
            result.insert("\(address):\(url.port)")
        }
        return result
    }

    /// Lower priorities first; beyond that only the order has to be one.
    private static func comesFirst(_ a: Target, _ b: Target) -> Bool {
        guard a.priority == b.priority else { return a.priority < b.priority }
        guard a.weight == b.weight else { return a.weight > b.weight }
        guard a.host == b.host else { return a.host.precedesBytewise(b.host) }
        return a.port < b.port
    }
}

/// Why the records give no cluster.
package struct SRVFault: Error, CustomStringConvertible {
    package enum Code: Equatable, Sendable {
        /// Both look-ups failed.
        case noAnswer
        case selfMissing(name: String, [EndpointURL], records: String)
        case ownHost(EndpointURL)
        case badURL(EndpointURLError)
    }

    package let code: Code
    /// What was found out before, to be logged first.
    package let notes: [DiscoveryNote]

    init(_ code: Code, notes: [DiscoveryNote]) { (self.code, self.notes) = (code, notes) }

    package var description: String {
        switch code {
        case .noAnswer: "SRV discovery failed: too many errors querying DNS SRV records"
        case .selfMissing(let name, _, _):
            "cannot find local etcd member \(name.quotedAsGo) in SRV records"
        case .ownHost(let url): "couldn't resolve host \(url.host) during SRV discovery"
        case .badURL(let error): "\(error)"
        }
    }

    package var advice: String {
        switch code {
        case .noAnswer:
            "Check the domain of --discovery-srv, and that its DNS server is the one of "
                + "/etc/resolv.conf or of --dns-server: dig SRV _etcd-server._tcp.DOMAIN"
        case .selfMissing(_, let advertised, let records):
            "--initial-advertise-peer-urls is "
                + "\(advertised.map(\.description).joined(separator: ",")), the records say "
                + "\(records.isEmpty ? "nothing" : records). Host and port of one must be the same."
        case .ownHost:
            "Use a host in --initial-advertise-peer-urls that this machine can look up."
        case .badURL: "Correct the record."
        }
    }
}

/// The same, with a real DNS.
extension SRVDiscovery {
    /// Blocks.
    ///
    /// - Parameter server: nil: those of the system. One that is given is asked for hosts, too, before
    ///   the system is.
    package static func run(
        domain: String, name: String?, advertised: [EndpointURL], server: ResolverSettings?,
        eventLoop: any EventLoop
    ) throws(SRVFault) -> InitialCluster {
        let log = Logger(label: Discovery.logLabel)
        let resolver = DNSResolver(server ?? .system(), eventLoop: eventLoop)
        let resolve = Self.resolve(server, eventLoop: eventLoop)
        do throws(SRVFault) {
            let found = try cluster(name: name, advertised: advertised, resolve: resolve) {
                service throws(DNSFault) in
                try resolver.targets(of: "\(service).\(domain)")
            }
            for note in found.notes { log.log(level: note.level.logLevel, "\(note.text)") }
            return found.cluster
        } catch {
            for note in error.notes { log.log(level: note.level.logLevel, "\(note.text)") }
            throw error
        }
    }

    /// Looks hosts up: with `server` if there is one, then as the system does.
    package static func resolve(
        _ server: ResolverSettings?, eventLoop: any EventLoop
    ) -> HostResolver.Resolve {
        guard let server else { return HostResolver.system }
        let resolver = DNSResolver(server, eventLoop: eventLoop)
        return { host in resolver.firstAddress(of: host) ?? HostResolver.system(host) }
    }
}

extension DNSResolver {
    /// - Parameter name: a whole name; without a valid one nothing is asked.
    func targets(of name: String) throws(DNSFault) -> [SRVDiscovery.Target] {
        guard let name = DNSName(name) else { return [] }
        return try ask(DNSQuestion(.srv, name)).compactMap { record in
            // A root target says that the service is not offered. RFC 2782.
            guard case .service(let priority, let weight, let port, let target) = record,
                !target.isRoot
            else { return nil }
            return SRVDiscovery.Target(
                priority: priority, weight: weight, port: port, host: "\(target)")
        }
    }

    /// IPv4 before IPv6, as etcd's; an address is its own.
    package func firstAddress(of host: String) -> String? {
        if let address = try? SocketAddress(ipAddress: host, port: 0) { return address.ipAddress }
        guard let name = DNSName(host) else { return nil }
        for kind in [DNSMessage.Kind.a, .aaaa] {
            guard let records = try? ask(DNSQuestion(kind, name)) else { continue }
            for case .address(let bytes) in records {
                let packed = ByteBuffer(bytes: bytes)
                if let address = try? SocketAddress(packedIPAddress: packed, port: 0) {
                    return address.ipAddress
                }
            }
        }
        return nil
    }
}
