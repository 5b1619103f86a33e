import ProtoWire
import RaftModel
import State
import Storage

/// What a record of a log says.
struct DecodedRecord {
    enum Content {
        case metadata(WALMetadata)
        case entry(term: UInt64, index: UInt64, EntryContent)
        case state(HardState)
        /// The rolling crc; our batches begin with one that is a marker too.
        case crc(WALMarker?)
        case snapshot(WALSnapshotRecord)
        case unreadable(String)
    }

    enum EntryContent {
        /// A new leader's first.
        case nothing
        case command(Request)
        case hashReport(HashReport)
        case confChange(ConfChange)
        /// Data that is no command of the v2 API.
        case foreign([UInt8], problem: String)
    }

    var record: LogRecord
    var content: Content

    init(_ record: LogRecord) {
        self.record = record
        do throws(WireError) { content = try Self.decode(record) } catch {
            content = .unreadable("\(error)")
        }
    }

    private static func decode(_ record: LogRecord) throws(WireError) -> Content {
        switch record.type {
        case .metadata: return .metadata(try WALMetadata.decode(record.data))
        case .state: return .state(try HardState.decode(record.data))
        case .crc: return .crc(record.marker)
        case .snapshot: return .snapshot(try WALSnapshotRecord.decode(record.data))
        case .entry:
            let entry = try Entry.decode(record.data)
            return .entry(term: entry.term, index: entry.index, content(of: entry))
        }
    }

    private static func content(of entry: Entry) -> EntryContent {
        guard !entry.data.isEmpty else { return .nothing }
        do throws(WireError) {
            if entry.kind == .confChange {
                return .confChange(try ConfChange.decode(entry.data))
            }
            return try entry.data.withUnsafeBufferPointer { bytes throws(WireError) in
                let view = try RequestView.decode(UnsafeRawBufferPointer(bytes))
                guard view.method != .unknown else {
                    return .foreign(entry.data, problem: "its method is none of the v2 API's")
                }
                if let report = HashReport(view) { return .hashReport(report) }
                return .command(Request(view))
            }
        } catch {
            return .foreign(entry.data, problem: "\(error)")
        }
    }

    /// Of an entry or snapshot record.
    var index: UInt64? {
        switch content {
        case .entry(_, let index, _): index
        case .snapshot(let snapshot): snapshot.index
        case .metadata, .state, .crc, .unreadable: nil
        }
    }

    var isConfChange: Bool {
        if case .entry(_, _, .confChange) = content { true } else { false }
    }

    /// What an entry is counted as: its method, or what else it is.
    var entryKind: String? {
        guard case .entry(_, _, let content) = content else { return nil }
        return switch content {
        case .nothing: "empty"
        case .command(let request): "\(request.method.word)"
        case .hashReport: "HASH"
        case .confChange: "confchange"
        case .foreign: "foreign"
        }
    }
}

extension WALRecordType {
    var name: String {
        switch self {
        case .metadata: "metadata"
        case .entry: "entry"
        case .state: "state"
        case .crc: "crc"
        case .snapshot: "snapshot"
        }
    }
}
