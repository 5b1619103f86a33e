import Storage

/// What the records of a log add up to.
struct LogFigures {
    private(set) var recordCount = 0
    private var entryBytes = 0
    private var methods: [String: Int] = [:]
    private var entryCount = 0
    private var batchBytes: [Int] = []
    private var terms: ClosedRange<UInt64>?
    private var indices: ClosedRange<UInt64>?
    private var commit: UInt64 = 0
    private var damagedCount = 0

    mutating func add(_ line: LogLine) {
        recordCount += 1
        if !line.record.isIntact { damagedCount += 1 }
        if let marker = line.record.marker { batchBytes.append(Int(clamping: marker.bytes)) }
        if let term = line.term {
            terms = min(terms?.lowerBound ?? term, term)...max(terms?.upperBound ?? term, term)
        }
        if let state = line.commit { commit = max(commit, state) }
        guard line.kind == .entry || line.kind == .confchange, let index = line.index else {
            return
        }
        entryCount += 1
        entryBytes += line.record.frameBytes
        indices =
            min(indices?.lowerBound ?? index, index)...max(indices?.upperBound ?? index, index)
        let name = line.kind == .confchange ? "conf change" : line.method ?? "?"
        methods[name == "-" ? "empty" : name, default: 0] += 1
    }

    func write(_ summary: LogScanSummary, _ output: Output) {
        output.line("")
        for segment in summary.segments {
            let range = segment.indices.map { "entries \($0.lowerBound) to \($0.upperBound)" }
            output.line(
                "segment    \(segment.name)  \(segment.endBytes) of \(segment.sizeBytes) bytes, "
                    + "\(segment.recordCount) records, \(range ?? "no entries")")
        }
        output.line("records    \(recordCount), \(damagedCount) of them damaged")
        let range = indices.map { ", index \($0.lowerBound) to \($0.upperBound)" } ?? ""
        output.line("entries    \(entryCount), \(entryBytes) bytes\(range), committed to \(commit)")
        let kinds = methods.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        output.line("kinds      \(kinds.joined(separator: ", "))")
        if let terms { output.line("terms      \(terms.lowerBound) to \(terms.upperBound)") }
        output.line("batches    \(batches)")
        if let cut = summary.cut {
            output.line(
                "unfinished \(cut.bytes) bytes at \(cut.file):\(cut.offsetBytes) (\(cut.reason)): a write "
                    + "that is under way, or that a start will cut off")
        }
        for damage in summary.damage { output.line("DAMAGE     \(damage)") }
    }

    private var batches: String {
        guard !batchBytes.isEmpty else { return "none: not written by kvd" }
        let sorted = batchBytes.sorted()
        func percentile(_ share: Int) -> Int {
            sorted[min(sorted.count - 1, sorted.count * share / 100)]
        }
        return "\(sorted.count), bytes: min \(sorted[0]), median \(percentile(50)), "
            + "p99 \(percentile(99)), max \(sorted[sorted.count - 1])"
    }
}
