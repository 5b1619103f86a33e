/// Something that goes wrong, or that an operator does, at a moment of a run.
///
/// Whom it hits, and how, is drawn from `draw` when its time comes, so that it depends on nothing
/// but itself and on how the cluster is then.
package struct Fault: Equatable, Sendable, CustomStringConvertible {
    package enum Kind: String, CaseIterable, Sendable {
        // The network: for `duration`.
        case split, oneWay, bridge, flapping, isolateLeader
        // A member ends; it starts again after `duration`.
        case kill, powerLoss, powerLossAtCall, killLeader, powerLossOfAll
        // Its disk: full or slow for `duration`; a call that fails.
        case diskFull, diskSlow, diskError
        /// Bits of a member that is down turn over.
        case rot
        /// A member does nothing for `duration`.
        case pause
        case clockJump, clockDrift
        // What an operator does.
        case addMember, removeMember, updateMember, transfer, snapshot
    }

    package var kind: Kind
    /// Virtual nanoseconds.
    package var at: Int64
    package var duration: Int64
    package var draw: UInt64

    package init(_ kind: Kind, at: Int64, duration: Int64, draw: UInt64) {
        (self.kind, self.at, self.duration, self.draw) = (kind, at, duration, draw)
    }

    package var description: String {
        "\(Trace.time(at))  \(kind.rawValue) for \(duration / Simulation.millisecond) ms, draw \(draw)"
    }
}
