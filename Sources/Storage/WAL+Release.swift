/// The other end of the log: segments behind which every kept snapshot lies.
extension WAL {
    /// Says that no kept snapshot needs the entries up to `index`: the oldest one is of it.
    public func release(through index: UInt64) {
        guard index > releasedIndex else { return }
        releasedIndex = index
        mayRelease = true
    }

    /// What to release now, or nil. Run it, on any thread, and hand over the outcome to
    /// `released(_:)`; until then this gives nil.
    public func nextRelease() -> SegmentRelease<IO>? {
        guard mayRelease, !isReleasing, failure == nil else { return nil }
        mayRelease = false
        let count = releasableCount
        guard count > 0 else { return nil }
        isReleasing = true
        return SegmentRelease(
            storage: storage, directory: directory, segments: Array(closed.prefix(count)),
            recycledMax: max(0, options.recycledSegmentsMax - recycled.count),
            segmentBytes: options.segmentBytes)
    }

    public func released(_ outcome: SegmentRelease<IO>.Outcome) {
        isReleasing = false
        precondition(
            closed.starts(with: outcome.gone.map(\.segment)), "released what was not the oldest")
        closed.removeFirst(outcome.gone.count)
        recycled += outcome.gone.compactMap(\.recycledPath)
    }

    /// How many of the oldest segments may go.
    private var releasableCount: Int {
        // Reading behind a snapshot begins in the last segment that begins at or before its
        // index. The one that is being written always stays.
        guard segment.firstIndex > releasedIndex else { return bounded(closed.count) }
        let first = closed.lastIndex { $0.firstIndex <= releasedIndex }
        return bounded(first ?? 0)
    }

    private func bounded(_ count: Int) -> Int {
        guard options.segmentFilesMax > 0 else { return 0 }
        return archivedCount(
            ofOldest: min(count, max(0, closed.count + 1 - options.segmentFilesMax)))
    }
}
