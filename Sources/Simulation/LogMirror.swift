import RaftModel

/// The terms of a member's log, as far as somebody outside can know it from what it wrote.
struct LogMirror {
    /// What the log begins behind.
    private(set) var baseIndex: UInt64 = 0
    private(set) var baseTerm: UInt64 = 0
    private(set) var terms: [UInt64] = []
    var term: UInt64 = 0
    var vote = MemberID.none

    init() {}

    init(base: SnapshotMetadata, entries: [Entry], hardState: HardState) {
        (baseIndex, baseTerm) = (base.index, base.term)
        terms = entries.map(\.term)
        (term, vote) = (hardState.term, hardState.vote)
    }

    var lastIndex: UInt64 { baseIndex + UInt64(terms.count) }

    /// Nil: before the log, or beyond it.
    func term(at index: UInt64) -> UInt64? {
        if index == baseIndex { return baseTerm }
        guard index > baseIndex, index <= lastIndex else { return nil }
        return terms[Int(index - baseIndex) - 1]
    }

    /// Whether the log has this entry, or a snapshot that stands for it.
    func holds(_ index: UInt64, _ term: UInt64) -> Bool {
        index < baseIndex || self.term(at: index) == term
    }

    /// Returns whether something that was there was replaced.
    @discardableResult
    mutating func write(
        snapshot: SnapshotMetadata?, entries: [Entry], hardState: HardState?
    ) -> Bool {
        if let snapshot { restart(after: snapshot) }
        var isReplacing = false
        if let first = entries.first {
            let kept = Int(first.index - baseIndex) - 1
            isReplacing = kept < terms.count
            terms.removeSubrange(kept...)
            for entry in entries { terms.append(entry.term) }
        }
        if let hardState { (term, vote) = (hardState.term, hardState.vote) }
        return isReplacing
    }

    private mutating func restart(after snapshot: SnapshotMetadata) {
        if term(at: snapshot.index) == snapshot.term {
            terms.removeFirst(Int(snapshot.index - baseIndex))
        } else {
            terms = []
        }
        (baseIndex, baseTerm) = (snapshot.index, snapshot.term)
    }

    /// Whether both say the same of every index that both reach.
    func agrees(with other: LogMirror) -> Bool {
        guard lastIndex == other.lastIndex else { return false }
        let start = max(baseIndex, other.baseIndex)
        guard start <= lastIndex else { return true }
        let (own, theirs) = (Int(start - baseIndex), Int(start - other.baseIndex))
        return terms[own...].elementsEqual(other.terms[theirs...])
    }
}
