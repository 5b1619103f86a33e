import RaftModel

/// Other members' proposals that came while there was nobody to take them: leadership is being
/// handed over, or the next leader is not known yet. They go to it when it is.
///
/// Whoever sent them waits for an answer and does not send them again, so to drop them would cost it
/// a time-out. To hold them for longer than it waits would bring them into the log when nobody
/// expects it any more.
struct HeldProposals: Sendable {
    private var entries: [Entry] = []
    private var bytes = 0
    private var ageTicks = 0

    var count: Int { entries.count }
    var isEmpty: Bool { entries.isEmpty }

    /// Returns false, and holds none of them, if they are too many.
    mutating func hold(_ more: [Entry], bytesMax: Int) -> Bool {
        let size = more.reduce(0) { $0 + $1.costBytes }
        guard bytes + size <= bytesMax else { return false }
        if entries.isEmpty { ageTicks = 0 }
        entries += more
        bytes += size
        return true
    }

    mutating func takeAll() -> [Entry] {
        defer { self = HeldProposals() }
        return entries
    }

    /// Returns how many were dropped, as they have waited since `agesMax` ticks.
    mutating func tick(ageTicksMax: Int) -> Int {
        guard !entries.isEmpty else { return 0 }
        ageTicks += 1
        return ageTicks < ageTicksMax ? 0 : takeAll().count
    }
}
