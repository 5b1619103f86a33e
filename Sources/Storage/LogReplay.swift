internal import ProtoWire
package import RaftModel

/// Turns the records of a log, in their order, into the state they add up to. Pure.
///
/// An entry takes its index's place and everything after it goes: what a later leader wrote
/// stands. Entries up to the snapshot's index are checked and passed over.
package struct LogReplay: RecordReplay {
    let snapshot: WALSnapshotRecord
    private(set) var metadata: WALMetadata?
    package private(set) var hardState = HardState.empty
    package private(set) var entries: [Entry] = []
    private(set) var snapshots: [WALSnapshotRecord] = []
    /// Where the log stands: at the last entry read, kept or passed over, or at a snapshot taken
    /// over from a leader; nil: neither yet.
    private var last: (index: UInt64, term: UInt64)?
    /// Of the last entry, or of a snapshot that took the place of it.
    var lastTerm: UInt64? { last?.term }
    /// First and last index of the entries read so far.
    private(set) var indices: ClosedRange<UInt64>?
    /// The term that the log has at the snapshot's index, if it has said so.
    private(set) var snapshotTerm: UInt64?
    private var metadataBytes: [UInt8] = []

    package init(from snapshot: WALSnapshotRecord) {
        self.snapshot = snapshot
        if snapshot.index == 0 { snapshotTerm = 0 }
    }

    var isDone: Bool { false }
    var silent: LogReplay { self }

    mutating func take(_ frame: WALFrame, at offset: Int, number: Int) -> WALError.Code? {
        take(frame.type, frame.data)
    }

    /// What is wrong with a record behind those taken before; nil: nothing.
    package mutating func take(
        _ type: WALRecordType, _ data: UnsafeRawBufferPointer
    ) -> WALError.Code? {
        do throws(WireError) {
            switch type {
            case .crc: return nil
            case .metadata: return try takeMetadata(data)
            case .entry: return try takeEntry(data)
            case .state:
                hardState = try HardState.decode(data)
                return nil
            case .snapshot: return try takeSnapshot(data)
            }
        } catch {
            return .corrupt(.message)
        }
    }

    private mutating func takeMetadata(
        _ data: UnsafeRawBufferPointer
    ) throws(WireError) -> WALError.Code? {
        let found = try WALMetadata.decode(data)
        guard let metadata else {
            self.metadata = found
            metadataBytes = Array(data)
            return nil
        }
        guard metadataBytes.elementsEqual(data) else {
            return .conflictingMetadata(first: metadata, second: found)
        }
        return nil
    }

    private mutating func takeSnapshot(
        _ data: UnsafeRawBufferPointer
    ) throws(WireError) -> WALError.Code? {
        let record = try WALSnapshotRecord.decode(data)
        snapshots.append(record)
        install(record)
        guard record.index == snapshot.index else { return nil }
        snapshotTerm = record.term
        guard record.term == snapshot.term else { return mismatch(record.term) }
        return nil
    }

    /// A snapshot of our own log changes nothing in it. One taken over from a leader, ahead of
    /// our log or at odds with it, stands for everything up to its index, and what our log had
    /// behind that is void: raft dropped it, and its terms would be a lie about this member.
    private mutating func install(_ record: WALSnapshotRecord) {
        guard record.index > 0, let last else {
            if record.index > 0 { self.last = (record.index, record.term) }
            return
        }
        if record.index > last.index {
            self.last = (record.index, record.term)
        } else if let known = term(at: record.index), known != record.term {
            // At odds there, the log may be at odds with the leader's long before: nothing that it has
            // behind the snapshot that is read can be gone on from.
            entries.removeAll()
            self.last = (record.index, record.term)
        }
    }

    /// Whether the log stands for what `record` stands for: a snapshot of our own, and none taken over
    /// from a leader whose state this log lacks.
    package func accountsFor(_ record: WALSnapshotRecord) -> Bool {
        record.index <= snapshot.index || term(at: record.index) == record.term
    }

    /// The term of an entry at or behind the snapshot's index, if the log has said it.
    private func term(at index: UInt64) -> UInt64? {
        guard index >= snapshot.index else { return nil }
        if index == snapshot.index { return index == 0 ? nil : snapshotTerm }
        let position = Int(clamping: index - snapshot.index - 1)
        return position < entries.count ? entries[position].term : nil
    }

    private func mismatch(_ term: UInt64) -> WALError.Code {
        .snapshotMismatch(
            index: snapshot.index, expectedTerm: snapshot.term, foundTerm: term)
    }

    private mutating func takeEntry(
        _ data: UnsafeRawBufferPointer
    ) throws(WireError) -> WALError.Code? {
        let entry = try EntryView(data)
        let expected = max(last?.index ?? 0, snapshot.index) + 1
        guard entry.index > 0, entry.index <= expected else {
            return .indexGap(expected: expected, found: entry.index)
        }
        if let last, entry.index == last.index + 1, entry.term < last.term {
            return .termWentBack(from: last.term, to: entry.term)
        }
        if entry.index > snapshot.index {
            let position = Int(clamping: entry.index - snapshot.index - 1)
            guard position <= entries.count else {
                return .indexGap(
                    expected: snapshot.index + UInt64(entries.count) + 1, found: entry.index)
            }
            entries.removeLast(entries.count - position)
            entries.append(entry.entry)
        } else {
            // What the log now says of the snapshot's index and before replaces what followed.
            entries.removeAll()
            if entry.index == snapshot.index { snapshotTerm = entry.term }
        }
        last = (entry.index, entry.term)
        indices = min(indices?.lowerBound ?? entry.index, entry.index)...entry.index
        return nil
    }

    /// The whole log has been read: does it go with the snapshot?
    func finish() -> WALError.Code? {
        guard metadata != nil else { return .noMetadata }
        guard let snapshotTerm else {
            return .snapshotNotInLog(index: snapshot.index, lastIndex: last?.index ?? 0)
        }
        guard snapshotTerm == snapshot.term else { return mismatch(snapshotTerm) }
        // A snapshot taken over from a leader, without which there is a hole before its index.
        let lastKept = snapshot.index + UInt64(entries.count)
        if let last, last.index > lastKept {
            return .missingSnapshot(index: last.index, lastIndex: lastKept)
        }
        return nil
    }
}

/// An entry where it lies: one that is passed over costs no copy.
struct EntryView {
    private var kind = Entry.Kind.normal
    private(set) var term: UInt64 = 0
    private(set) var index: UInt64 = 0
    private var data = UnsafeRawBufferPointer(start: nil, count: 0)

    /// As `Entry.decode` reads it.
    init(_ bytes: UnsafeRawBufferPointer) throws(WireError) {
        var reader = WireReader(bytes)
        while let field = try reader.nextField() {
            switch field.number {
            case 1:
                let raw = try reader.varint(of: field)
                guard let kind = UInt8(exactly: raw).flatMap(Entry.Kind.init(rawValue:)) else {
                    throw WireError(.unknownValue(raw, field: 1), at: reader.offset)
                }
                self.kind = kind
            case 2: term = try reader.varint(of: field)
            case 3: index = try reader.varint(of: field)
            case 4: data = try reader.bytes(of: field)
            default: try reader.skip(field)
            }
        }
    }

    var entry: Entry { Entry(kind: kind, term: term, index: index, data: Array(data)) }
}
