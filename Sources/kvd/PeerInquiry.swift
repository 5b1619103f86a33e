import Cluster
import Configuration
import Dispatch
import Logging
import NIOCore
import RaftModel
import Storage
import Synchronization
import Transport

/// What a member that has no log yet asks of the others, over their peer ports, before it makes one:
/// whom it joins, or that it does not forget that it lived before.
///
/// Blocks the starting thread; the event loop is only the client's.
struct PeerInquiry {
    private let client: PeerClient
    private let eventLoop: any EventLoop
    private let log = Logger(label: "etcdserver")

    init(eventLoop: any EventLoop, security: TransportSecurity) {
        self.eventLoop = eventLoop
        client = PeerClient(eventLoop: eventLoop, security: security)
    }

    // MARK: Joining

    /// The running cluster that `--initial-cluster` speaks of: what the log of this member says of
    /// itself, and the other members, with the ids that the cluster gave them.
    /// Source: `reference/peer-protocol.md` §7, steps 2 to 4.
    func runningCluster(
        _ configuration: ServerConfiguration
    ) throws(StartFailure) -> (WALMetadata, hosts: [Member]) {
        let cluster = configuration.initialCluster
        let others = cluster.members.filter { $0.name != configuration.name }
        let (id, members) = try firstMatch(cluster, of: others.flatMap(\.urls).sorted())
        guard let own = members.first(where: { $0.name == configuration.name }) else {
            preconditionFailure("checked: \(configuration.name) is in the initial cluster")
        }
        // Its id was in use: what it promised under it must not be forgotten.
        guard own.clientURLs.isEmpty else { throw alreadyBootstrapped(own.id) }
        let hosts = members.filter { $0.id != own.id }
        try checkVersions(of: hosts)
        return (WALMetadata(memberID: own.id, clusterID: id), hosts)
    }

    private struct Listing: Sendable {
        var cluster: ClusterID
        var members: [Member]
    }

    /// Asks all of `urls` at once, and gives the first listing that matches the flags: who is down, or
    /// swallows what is sent to it, holds up nobody. A member that is a little behind does not know of
    /// this one yet, so that one that does not match is no fault while another does.
    private func firstMatch(
        _ cluster: InitialCluster, of urls: [EndpointURL]
    ) throws(StartFailure) -> (ClusterID, [Member]) {
        let answers = Answers<Listing>()
        for (place, url) in urls.enumerated() {
            client.fetchMembers(from: [url]).whenComplete { result in
                answers.add(place, result.map { Listing(cluster: $0.cluster, members: $0.members) })
            }
        }
        var fault: (place: Int, fault: BootstrapFault)?
        for _ in urls {
            let (place, answer) = answers.next()
            let listing: Listing
            do { listing = try answer.get() } catch {
                log.warning("could not get cluster response from \(urls[place]): \(error)")
                continue
            }
            do throws(BootstrapFault) {
                let members = try JoinMatch.members(
                    cluster, running: listing.members, resolve: HostResolver.system)
                return (listing.cluster, members)
            } catch  where place < fault?.place ?? .max {
                fault = (place, error)
            } catch {}
        }
        guard let fault = fault?.fault else { throw Self.nobodyAnswered(urls) }
        throw StartFailure(
            notes: [
                ConfigurationNote(.critical, "etcdmain", fault.description),
                ConfigurationNote(.info, "etcdmain", fault.advice),
            ])
    }

    private static func nobodyAnswered(_ urls: [EndpointURL]) -> StartFailure {
        StartFailure(
            notes: [
                ConfigurationNote(
                    .critical, "etcdmain",
                    "cannot fetch cluster info from peer urls: could not retrieve cluster information "
                        + "from the given urls"),
                ConfigurationNote(
                    .info, "etcdmain",
                    "None of \(urls.map(\.description).joined(separator: ", ")) answered (see above). "
                        + "Give the running members' peer URLs in --initial-cluster, and see that they "
                        + "can be reached from here; to form a new cluster, set "
                        + "--initial-cluster-state new."),
            ])
    }

    private func checkVersions(of hosts: [Member]) throws(StartFailure) {
        let versions: [MemberID: MemberVersions?]
        do {
            versions = try client.fetchVersions(of: hosts.compactMap(Peer.init)).wait()
        } catch {
            throw StartFailure("etcdmain", "\(error)")
        }
        guard !ClusterVersion.canJoin(Array(versions.values)) else { return }
        let found = hosts.map { host in
            let version = versions[host.id]??.cluster?.majorMinor ?? "unknown"
            return "\(host.name) (\(host.peerURLs.joined(separator: ", "))): \(version)"
        }
        throw StartFailure(
            notes: [
                ConfigurationNote(
                    .critical, "etcdmain", "incomptible with current running cluster"),
                ConfigurationNote(
                    .info, "etcdmain",
                    "The cluster's version, as its members tell it: \(found.joined(separator: "; ")). "
                        + "This kvd joins clusters of version \(SemanticVersion.minimumCluster.majorMinor) "
                        + "to \(SemanticVersion.served.majorMinor). A cluster that has just been formed "
                        + "decides on one within seconds: then start this member again."),
            ])
    }

    // MARK: A new cluster

    /// A member of a cluster that is formed must not have lived before: with its log it would have
    /// lost what it promised to the others. They may not have started yet, so no answer is an answer.
    func checkNotBootstrapped(_ own: MemberID, _ members: [Member]) throws(StartFailure) {
        let others = members.filter { $0.id != own }
        let asked = others.compactMap(Peer.init).map { peer in
            client.fetchMembers(from: peer.urls, timeout: .seconds(1)).map { answer in
                answer.members.contains { $0.id == own && !$0.clientURLs.isEmpty }
            }
        }
        for answer in asked {
            if let isKnown = try? answer.wait(), isKnown { throw alreadyBootstrapped(own) }
        }
    }

    private func alreadyBootstrapped(_ own: MemberID) -> StartFailure {
        StartFailure(
            notes: [
                ConfigurationNote(
                    .critical, "etcdmain", "member \(own) has already been bootstrapped"),
                ConfigurationNote(
                    .info, "etcdmain",
                    "The cluster runs, and knows this member as one that ran before, but there is no "
                        + "log in its data dir. If --data-dir is not the one that it had, correct that. "
                        + "If its data is lost, so is what it promised to the others: remove it (DELETE "
                        + "/v2/members/\(own)), add it again (POST /v2/members), and start it with "
                        + "--initial-cluster-state existing."),
            ])
    }
}

/// Answers in the order in which they come, from an event loop to a thread that waits for them.
private final class Answers<Value: Sendable>: Sendable {
    typealias Answer = (place: Int, answer: Result<Value, any Error>)

    private let waiting = Mutex<[Answer]>([])
    private let count = DispatchSemaphore(value: 0)

    func add(_ place: Int, _ answer: Result<Value, any Error>) {
        waiting.withLock { $0.append((place, answer)) }
        count.signal()
    }

    /// Blocks until there is one. To be called as often as one is added, and no more.
    func next() -> Answer {
        count.wait()
        return waiting.withLock { $0.removeFirst() }
    }
}
