import StorageIO

/// A file of a segment's size, kept for when the disk is full: `reserve.tmp`.
///
/// With it the log can go on for one more segment, so that the member can hand over leadership,
/// finish what it has begun and tell its clients, instead of stopping in the middle.
enum ReserveState {
    case missing
    case beingMade
    case there
}

extension WAL {
    static var reserveName: String { "reserve.tmp" }
    private var reservePath: String { "\(directory)/\(Self.reserveName)" }

    /// Whether all is there that the log wants to have in case the disk fills up.
    package var hasRoom: Bool {
        guard !options.keepsReserve || reserve == .there else { return false }
        if case .underWay = preparation { return false }
        return !wantsPreparation
    }

    /// The reserve's making, or nil if it is there or not wanted. Run it, on any thread, and hand
    /// over whether it worked to `reserveMade(_:)`; until then this gives nil.
    public func nextReserve() -> SegmentPreparation<IO>? {
        guard options.keepsReserve, reserve == .missing, failure == nil else { return nil }
        reserve = .beingMade
        return SegmentPreparation(
            storage: storage, path: reservePath, sizeBytes: options.segmentBytes,
            source: .fresh(writesZeros: false))
    }

    public func reserveMade(_ isMade: Bool) { reserve = isMade ? .there : .missing }

    /// The reserve as the next segment, or nil if it is not there.
    func takeReserve(_ error: StorageError) throws(WALError) -> PreparedSegment<IO>? {
        guard reserve == .there else { return nil }
        reserve = .missing
        noteOutOfSpace?(error)
        let file = try attempt { () throws(StorageError) in
            try storage.open(reservePath, for: .updating)
        }
        return PreparedSegment(file: file, path: reservePath, leftOverEnd: 0)
    }
}
