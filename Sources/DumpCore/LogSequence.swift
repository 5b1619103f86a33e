import ProtoWire
import RaftModel
import Storage

/// Whether a log's records follow from one another, each by itself being intact: what
/// `Storage.LogReplay` refuses, without keeping the entries.
struct LogSequence {
    private(set) var metadata: WALMetadata?
    private(set) var last: (index: UInt64, term: UInt64)?
    private(set) var lastState = HardState.empty
    private(set) var snapshots: [WALSnapshotRecord] = []
    /// What was wrong first, and in which file.
    private(set) var problem: (segment: WALSegmentName, error: WALError)?

    mutating func take(_ decoded: DecodedRecord, directory: String) {
        guard problem == nil, let code = code(decoded) else { return }
        let record = decoded.record
        let error = WALError(
            code, file: "\(directory)/\(record.segment)", offsetBytes: record.offset,
            recordNumber: record.number)
        problem = (record.segment, error)
    }

    private mutating func code(_ decoded: DecodedRecord) -> WALError.Code? {
        switch decoded.content {
        case .unreadable: return .corrupt(.message)
        case .crc: return nil
        case .state(let state):
            lastState = state
            return nil
        case .metadata(let found):
            guard let metadata else {
                metadata = found
                return nil
            }
            return metadata == found ? nil : .conflictingMetadata(first: metadata, second: found)
        case .snapshot(let snapshot):
            snapshots.append(snapshot)
            if snapshot.index > last?.index ?? 0 { last = (snapshot.index, snapshot.term) }
            return nil
        case .entry(let term, let index, _): return code(term: term, index: index)
        }
    }

    private mutating func code(term: UInt64, index: UInt64) -> WALError.Code? {
        defer { last = (index, term) }
        guard let last else { return nil }
        guard index > 0, index <= last.index + 1 else {
            return .indexGap(expected: last.index + 1, found: index)
        }
        guard index <= last.index || term >= last.term else {
            return .termWentBack(from: last.term, to: term)
        }
        return nil
    }
}
