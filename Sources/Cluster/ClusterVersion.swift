package import RaftModel

/// What a member says at `GET /version` of its peer port.
package struct MemberVersions: Equatable, Sendable {
    package var server: SemanticVersion
    /// Nil while the cluster has not decided, or the text is no version.
    package var cluster: SemanticVersion?

    package init(server: SemanticVersion, cluster: SemanticVersion?) {
        (self.server, self.cluster) = (server, cluster)
    }

    /// A member whose answer is 404 is a 2.0.
    package static let endpointMissing = MemberVersions(server: .unstated, cluster: .unstated)

    /// Reads `{"etcdserver":"2.3.8","etcdcluster":"2.3.0"}`.
    package init(json: [UInt8]) throws(JSONError) {
        let object = try JSONValue(parsing: json)
        let text = try object.string("etcdserver")
        guard let server = SemanticVersion(text) else {
            throw JSONError(.wrongType(expected: "a version", field: "etcdserver"), at: 0)
        }
        self.server = server
        cluster = SemanticVersion(try object.string("etcdcluster"))
    }

    /// The body of `GET /version`, on both ports: no newline at its end.
    package static func json(server: SemanticVersion, cluster: SemanticVersion?) -> [UInt8] {
        let clusterText = cluster?.description ?? "not_decided"
        return Array("{\"etcdserver\":\"\(server)\",\"etcdcluster\":\"\(clusterText)\"}".utf8)
    }
}

/// The leader's duty to set `/0/version` from its members' versions.
///
/// Source: `reference/peer-protocol.md` §6. Every 4 s, and at once after a leader's first entry.
package enum ClusterVersion {
    package enum Decision: Equatable, Sendable {
        case keep
        /// PUT it: the cluster has none yet. Log `logLine`.
        case setInitial(SemanticVersion)
        /// PUT it: all members have become newer. Log `logLine`.
        case raise(from: SemanticVersion, to: SemanticVersion)

        /// The version to PUT, if any; always with patch 0.
        package var version: SemanticVersion? {
            switch self {
            case .keep: nil
            case .setInitial(let version): version
            case .raise(_, let version): version
            }
        }

        /// etcd's line (package etcdserver, level I) for the moment before the PUT.
        package var logLine: String? {
            switch self {
            case .keep: nil
            case .setInitial(let version):
                "setting up the initial cluster version to \(version.majorMinor)"
            case .raise(let old, let new):
                "updating the cluster version from \(old.majorMinor) to \(new.majorMinor)"
            }
        }
    }

    /// - Parameters:
    ///   - current: `/0/version` as applied, or nil.
    ///   - members: one for each member, this one included; nil: it could not be asked.
    package static func decide(
        current: SemanticVersion?, members: [MemberID: MemberVersions?],
        minimum: SemanticVersion = .minimumCluster
    ) -> Decision {
        let decided = lowest(members)
        guard let current else { return .setInitial((decided ?? minimum).withoutPatch) }
        guard let decided, decided > current.withoutPatch else { return .keep }
        return .raise(from: current, to: decided)
    }

    /// The lowest server version, or nil if any member could not be asked.
    private static func lowest(_ members: [MemberID: MemberVersions?]) -> SemanticVersion? {
        var lowest: SemanticVersion?
        for versions in members.values {
            guard let versions else { return nil }
            let server = versions.server.withoutPatch
            lowest = min(lowest ?? server, server)
        }
        return lowest
    }

    /// etcd's warning when a member is newer than this leader; nil if none is.
    package static func outdatedLeaderWarning(
        local: SemanticVersion, members: [MemberID: MemberVersions?]
    ) -> String? {
        let newest = members.values.compactMap { $0?.server }.max()
        guard let newest, newest.withoutPatch > local.withoutPatch else { return nil }
        return "the local etcd version \(local) is not up-to-date: a member runs \(newest). "
            + "Upgrade this member"
    }

    /// What applying a cluster version (from the log or a snapshot) means for this member.
    /// Non-nil: it must stop with this text; its data is newer than its program.
    package static func downgradeFault(
        local: SemanticVersion, cluster: SemanticVersion
    ) -> String? {
        guard local.withoutPatch < cluster.withoutPatch else { return nil }
        return "cluster cannot be downgraded (current version: \(local) is lower than determined "
            + "cluster version: \(cluster.majorMinor))."
    }

    /// Whether a running cluster, as its members describe it, takes this member in.
    ///
    /// At least one member must answer, and no answer may be out of range.
    /// Source: `reference/peer-protocol.md` §7, step 4.
    package static func canJoin(
        _ others: [MemberVersions?], local: SemanticVersion = .served,
        minimum: SemanticVersion = .minimumCluster
    ) -> Bool {
        let decided = others.compactMap { $0?.cluster }
        let range = minimum.withoutPatch...local.withoutPatch
        return !decided.isEmpty && decided.allSatisfy { range.contains($0.withoutPatch) }
    }
}

/// A feature that waits until every member of the cluster knows it.
package enum Capability: Sendable {
    case auth

    /// The first cluster version that has it.
    package var since: SemanticVersion {
        switch self {
        case .auth: SemanticVersion(2, 1)
        }
    }

    /// Whether it is on; a cluster that has decided nothing yet has no capability.
    package func isEnabled(clusterVersion: SemanticVersion?) -> Bool {
        guard let clusterVersion else { return false }
        return clusterVersion >= since
    }
}
