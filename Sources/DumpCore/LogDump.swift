import Storage
package import StorageIO

/// `wal`: a log's records, a line each, and what they add up to.
package struct LogDump {
    package enum RecordFilter: String, CaseIterable, Sendable {
        /// Every entry, conf changes too.
        case entry
        case state
        case snapshot
        case crc
        case metadata
        case confchange
    }

    package var directory = ""
    package var walDirectory: String?
    package var fromIndex: UInt64?
    package var toIndex: UInt64?
    /// Empty: all.
    package var types: [RecordFilter] = []
    /// Only records whose line or data has this text.
    package var text: String?
    package var values = ByteText.Limit.bytes(40)
    package var isJSON = false
    package var showsHex = false
    package var showsOnlySummary = false

    package init() {}

    /// False: there is damage.
    package func run(
        _ storage: some FileStorage, _ output: Output, _ progress: Progress
    ) throws(DumpError) -> Bool {
        if let fromIndex, let toIndex, fromIndex > toIndex {
            throw .usage("--from-index \(fromIndex) is behind --to-index \(toIndex).")
        }
        let files = try MemberFiles.find(directory, wal: walDirectory, storage: storage)
        let segments = try DumpError.catching { () throws(StorageError) in
            try files.segments(storage)
        }
        var summary = LogSummary()
        let scan = try LogVisit.run(
            files.walPath, storage: storage, from: fromIndex.map { $0 > 0 ? $0 - 1 : 0 }, progress,
            totalBytes: segments.reduce(0) { $0 + $1.bytes }
        ) { record in
            let decoded = DecodedRecord(record)
            summary.add(decoded)
            if !showsOnlySummary, isWanted(decoded) { write(decoded, to: output) }
            return !output.isClosed
        }
        progress.end()
        if isJSON {
            output.line(summary.json(scan))
        } else {
            if !showsOnlySummary { output.line("") }
            summary.write(scan, to: output)
        }
        return scan.damage.isEmpty
    }

    private func write(_ decoded: DecodedRecord, to output: Output) {
        if isJSON { return output.line(decoded.json(values, hex: showsHex)) }
        output.line(decoded.text(values))
        guard showsHex else { return }
        for line in decoded.hexLines() { output.line(line) }
    }

    // MARK: Filters

    private func isWanted(_ decoded: DecodedRecord) -> Bool {
        hasWantedType(decoded) && hasWantedIndex(decoded) && hasText(decoded)
    }

    private func hasWantedType(_ decoded: DecodedRecord) -> Bool {
        guard !types.isEmpty else { return true }
        return types.contains { type in
            type == .confchange ? decoded.isConfChange : type.rawValue == decoded.record.type.name
        }
    }

    /// A record that has no index is of none in a range, but for one that was asked for by type.
    private func hasWantedIndex(_ decoded: DecodedRecord) -> Bool {
        guard fromIndex != nil || toIndex != nil else { return true }
        guard let index = decoded.index else { return !types.isEmpty }
        return index >= fromIndex ?? 0 && index <= toIndex ?? .max
    }

    private func hasText(_ decoded: DecodedRecord) -> Bool {
        guard let text, !text.isEmpty else { return true }
        return decoded.record.data.contains(Array(text.utf8))
            || decoded.text(values).contains(text)
    }
}

extension UnsafeRawBufferPointer {
    /// Whether `pattern` is anywhere in it.
    fileprivate func contains(_ pattern: [UInt8]) -> Bool {
        guard let first = pattern.first, pattern.count <= count else { return false }
        for start in 0...(count - pattern.count)
        where self[start] == first && self[start..<(start + pattern.count)].elementsEqual(pattern) {
            return true
        }
        return false
    }
}
