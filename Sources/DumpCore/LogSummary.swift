import RaftModel
import Storage

/// What the records of a log add up to.
struct LogSummary {
    struct Tally {
        var count = 0
        var bytes = 0
    }

    private(set) var recordCount = 0
    private(set) var bytes = 0
    private(set) var indices: ClosedRange<UInt64>?
    private(set) var terms: [UInt64: ClosedRange<UInt64>] = [:]
    private(set) var entries: [String: Tally] = [:]
    private(set) var records: [String: Tally] = [:]
    private var batchBytes: [Int] = []
    private var batchEntries: [Int] = []
    private(set) var lastState: HardState?
    private(set) var metadata: WALMetadata?

    mutating func add(_ decoded: DecodedRecord) {
        let record = decoded.record
        recordCount += 1
        bytes += record.frameBytes
        records[record.type.name, default: Tally()].add(record.frameBytes)
        switch decoded.content {
        case .entry(let term, let index, _):
            indices = Self.extend(indices, index)
            terms[term] = Self.extend(terms[term], index)
            if let kind = decoded.entryKind {
                entries[kind, default: Tally()].add(record.frameBytes)
            }
            if !batchEntries.isEmpty { batchEntries[batchEntries.count - 1] += 1 }
        case .crc(let marker?):
            batchBytes.append(record.frameBytes + Int(clamping: marker.bytes))
            batchEntries.append(0)
        case .state(let state): lastState = state
        case .metadata(let ids): metadata = ids
        case .crc(nil), .snapshot, .unreadable: break
        }
    }

    private static func extend(
        _ range: ClosedRange<UInt64>?, _ index: UInt64
    ) -> ClosedRange<UInt64> {
        guard let range else { return index...index }
        return min(range.lowerBound, index)...max(range.upperBound, index)
    }

    // MARK: Text

    func write(_ scan: LogScanSummary, to output: Output) {
        if let metadata {
            output.line("log of member \(metadata.memberID), cluster \(metadata.clusterID)")
        }
        output.line("\(scan.segments.count) segments, \(recordCount) records, \(bytes) bytes")
        for segment in scan.segments { output.line("  \(Self.text(segment))") }
        for term in terms.keys.sorted() {
            if let range = terms[term] { output.line("term \(term): entries \(Self.text(range))") }
        }
        output.line("entries: \(indices.map(Self.text) ?? "none")")
        for (name, tally) in entries.sorted(by: { $0.key < $1.key }) {
            output.line("  \(ByteText.filled(name, 10)) \(tally.text)")
        }
        output.line("records:")
        for (name, tally) in records.sorted(by: { $0.key < $1.key }) {
            output.line("  \(ByteText.filled(name, 10)) \(tally.text)")
        }
        if let lastState {
            output.line(
                "last state: term \(lastState.term), vote \(lastState.vote), commit "
                    + "\(lastState.commit)")
        }
        if !batchBytes.isEmpty {
            output.line("batches: \(batchBytes.count)")
            output.line("  bytes      \(Spread(batchBytes).text)")
            output.line("  entries    \(Spread(batchEntries).text)")
        }
        Self.writeTrouble(scan, to: output)
    }

    private static func writeTrouble(_ scan: LogScanSummary, to output: Output) {
        for name in scan.ignoredNames { output.line("not of the log: \(name)") }
        if let cut = scan.cut {
            output.line(
                "unfinished write: \(cut.bytes) bytes of \(cut.file) from byte \(cut.offsetBytes) "
                    + "on (\(cut.reason)); the next start cuts them off")
        }
        for damage in scan.damage { output.line("damage: \(damage)") }
        if scan.damage.isEmpty { output.line("damage: none") }
    }

    private static func text(_ segment: LogScanSummary.Segment) -> String {
        let entries = segment.indices.map { "entries \(text($0))" } ?? "no entries"
        let batches = segment.batchCount > 0 ? ", \(segment.batchCount) batches" : ""
        return "\(segment.name) \(segment.endBytes) of \(segment.sizeBytes) bytes used, "
            + "\(segment.recordCount) records\(batches), \(entries), \(segment.writer.text)"
    }

    private static func text(_ range: ClosedRange<UInt64>) -> String {
        "\(range.lowerBound) to \(range.upperBound)"
    }

    // MARK: JSON

    func json(_ scan: LogScanSummary) -> JSONLine {
        var line = JSONLine()
        line.string("type", "summary")
        if let metadata {
            line.string("member", "\(metadata.memberID)")
            line.string("cluster", "\(metadata.clusterID)")
        }
        line.number("records", recordCount)
        line.number("bytes", bytes)
        line.objects("segments", scan.segments.map(Self.json))
        if let indices {
            line.number("firstIndex", indices.lowerBound)
            line.number("lastIndex", indices.upperBound)
        }
        line.objects("terms", terms.sorted { $0.key < $1.key }.map(Self.json))
        line.object("entries", Self.json(entries))
        line.object("recordTypes", Self.json(records))
        if let lastState {
            line.number("term", lastState.term)
            line.string("vote", "\(lastState.vote)")
            line.number("commit", lastState.commit)
        }
        if !batchBytes.isEmpty {
            line.number("batches", batchBytes.count)
            line.object("batchBytes", Spread(batchBytes).json)
            line.object("batchEntries", Spread(batchEntries).json)
        }
        if let cut = scan.cut {
            line.string("unfinishedFile", cut.file)
            line.number("unfinishedOffset", cut.offsetBytes)
            line.number("unfinishedBytes", cut.bytes)
        }
        line.strings("damage", scan.damage.map { "\($0)" })
        return line
    }

    private static func json(_ segment: LogScanSummary.Segment) -> JSONLine {
        var line = JSONLine()
        line.string("name", "\(segment.name)")
        line.number("bytes", segment.sizeBytes)
        line.number("usedBytes", segment.endBytes)
        line.number("records", segment.recordCount)
        line.number("batches", segment.batchCount)
        if let indices = segment.indices {
            line.number("firstIndex", indices.lowerBound)
            line.number("lastIndex", indices.upperBound)
        }
        line.string("writer", segment.writer.text)
        return line
    }

    private static func json(_ term: UInt64, _ range: ClosedRange<UInt64>) -> JSONLine {
        var line = JSONLine()
        line.number("term", term)
        line.number("firstIndex", range.lowerBound)
        line.number("lastIndex", range.upperBound)
        return line
    }

    private static func json(_ tallies: [String: Tally]) -> JSONLine {
        var line = JSONLine()
        for (name, tally) in tallies.sorted(by: { $0.key < $1.key }) {
            var inner = JSONLine()
            inner.number("count", tally.count)
            inner.number("bytes", tally.bytes)
            line.object(name, inner)
        }
        return line
    }
}

extension LogSummary.Tally {
    fileprivate mutating func add(_ bytes: Int) {
        count += 1
        self.bytes += bytes
    }

    fileprivate var text: String {
        "\(ByteText.padded("\(count)", 9)) of \(bytes) bytes"
    }
}

/// How numbers are spread.
private struct Spread {
    var min = 0
    var median = 0
    var percentile99 = 0
    var max = 0

    init(_ numbers: [Int]) {
        let sorted = numbers.sorted()
        guard let first = sorted.first, let last = sorted.last else { return }
        (min, max) = (first, last)
        median = sorted[(sorted.count - 1) / 2]
        percentile99 = sorted[(sorted.count * 99 + 99) / 100 - 1]
    }

    var text: String { "min \(min), median \(median), p99 \(percentile99), max \(max)" }

    var json: JSONLine {
        var line = JSONLine()
        line.number("min", min)
        line.number("median", median)
        line.number("p99", percentile99)
        line.number("max", max)
        return line
    }
}

extension RecoveryReport.Writer {
    var text: String {
        switch self {
        case .kvd: "kvd"
        case .etcd2: "etcd 2"
        case .etcd3: "etcd 3"
        }
    }
}
