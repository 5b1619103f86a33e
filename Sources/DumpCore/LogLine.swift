import Cluster
import ProtoWire
import RaftModel
import Storage

/// A record of a log, decoded for people and programs.
struct LogLine {

    let record: LogRecord
    let kind: LogKind
    private(set) var term: UInt64?
    private(set) var index: UInt64?
    private(set) var method: String?
    private(set) var path: [UInt8]?
    private(set) var value: [UInt8]?
    /// The rest, as words: options of a command, or what the record says.
    private(set) var details: [(name: String, value: String)] = []
    private(set) var problem: String?
    /// Of a hard state.
    private(set) var commit: UInt64?

    init(_ record: LogRecord) {
        self.record = record
        switch record.type {
        case .metadata: kind = .metadata
        case .state: kind = .state
        case .crc: kind = .crc
        case .snapshot: kind = .snapshot
        case .entry:
            let entry = try? Entry.decode(record.data)
            kind = entry?.kind == .confChange ? .confchange : .entry
        }
        do throws(WireError) { try decode() } catch { problem = "\(error)" }
    }

    private mutating func decode() throws(WireError) {
        switch record.type {
        case .metadata:
            let metadata = try WALMetadata.decode(record.data)
            details = [("member", "\(metadata.memberID)"), ("cluster", "\(metadata.clusterID)")]
        case .state:
            let state = try HardState.decode(record.data)
            (term, commit) = (state.term, state.commit)
            details = [("vote", "\(state.vote)"), ("commit", "\(state.commit)")]
        case .snapshot:
            let snapshot = try WALSnapshotRecord.decode(record.data)
            (term, index) = (snapshot.term, snapshot.index)
        case .crc:
            guard let marker = record.marker else { return }
            details = [("batch", "\(marker.bytes)"), ("durable", "\(marker.durable)")]
        case .entry: try decodeEntry(try Entry.decode(record.data))
        }
    }

    private mutating func decodeEntry(_ entry: Entry) throws(WireError) {
        (term, index) = (entry.term, entry.index)
        guard !entry.data.isEmpty else {
            method = "-"
            return
        }
        if entry.kind == .confChange {
            let change = try ConfChange.decode(entry.data)
            method = "\(change.kind)"
            details = [("member", "\(change.member)")]
            if !change.context.isEmpty {
                details.append(("context", String(decoding: change.context, as: UTF8.self)))
            }
            return
        }
        let request = try Request.decode(entry.data)
        method = request.method == .unknown ? "?" : "\(request.method.word)"
        if !request.path.isEmpty { path = request.path }
        if request.method == .put || request.method == .post { value = request.value }
        describe(request)
    }

    private mutating func describe(_ request: Request) {
        func add(_ name: String, _ value: String?) {
            if let value { details.append((name, value)) }
        }
        add("dir", request.isDirectory ? "true" : nil)
        add("recursive", request.recursive ? "true" : nil)
        add("refresh", request.refresh == true ? "true" : nil)
        add("prevExist", request.previousExists.map { "\($0)" })
        add("prevIndex", request.previousIndex > 0 ? "\(request.previousIndex)" : nil)
        if !request.previousValue.isEmpty {
            add("prevValue", Escape.text(request.previousValue, limit: 40))
        }
        add("expiration", Self.time(request.expiration))
        add("time", Self.time(request.time))
        add("id", "\(String(request.id, radix: 16))")
    }

    private static func time(_ nanoseconds: Int64) -> String? {
        nanoseconds == 0 ? nil : CivilTime(unixNanoseconds: nanoseconds).rfc3339
    }

    func contains(_ needle: [UInt8]) -> Bool {
        [path, value].contains { $0?.firstRange(of: needle) != nil }
            || details.contains { Array($0.value.utf8).firstRange(of: needle) != nil }
    }

    // MARK: As text

    /// `0000000000000001 @    1234  entry  term 3  index 17  45 B  PUT /1/a "value" …`
    func text(valueBytes: Int, isHex: Bool) -> String {
        let segment = String(record.segment.sequence, radix: 16)
        var parts = ["\(segment) @\(Self.padded(record.offset, 9))", kind.rawValue]
        if let term { parts.append("term \(term)") }
        if let index { parts.append("index \(index)") }
        parts.append("\(record.frameBytes) B")
        if let method {
            var command = method
            if let path { command += " \(Escape.text(path, limit: .max))" }
            if let value { command += " \"\(Escape.text(value, limit: valueBytes))\"" }
            parts.append(command)
        }
        parts += details.map { "\($0.name)=\($0.value)" }
        if kind == .crc { parts.append("crc=\(String(record.crc, radix: 16))") }
        if let problem { parts.append("UNREADABLE: \(problem)") }
        if !record.isIntact { parts.append("DAMAGED") }
        let line = parts.joined(separator: "  ")
        return isHex ? "\(line)\n\(Escape.hex(record.data))" : line
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: " ", count: max(0, width - digits.utf8.count)) + digits
    }

    // MARK: As JSON

    func json(isHex: Bool) -> String {
        var json = JSONText()
        json.raw("{\"segment\":")
        json.string("\(record.segment)")
        json.raw(",\"offset\":\(record.offset),\"record\":\(record.number)")
        json.raw(",\"type\":\"\(kind.rawValue)\",\"bytes\":\(record.frameBytes)")
        json.raw(",\"crc\":\(record.crc),\"intact\":\(record.isIntact)")
        if let term { json.raw(",\"term\":\(term)") }
        if let index { json.raw(",\"index\":\(index)") }
        func add(_ name: String, _ text: String) {
            json.raw(",\"\(name)\":")
            json.string(text)
        }
        if let method { add("method", method) }
        if let path { add("path", String(decoding: path, as: UTF8.self)) }
        if let value {
            add("value", String(decoding: value, as: UTF8.self))
            // Not all of them are text.
            if !Escape.isUTF8(value) { add("valueBase64", Escape.base64(value)) }
        }
        for (name, value) in details { add(name, value) }
        if let problem { add("problem", problem) }
        if isHex { add("data", Escape.hexDigits(record.data)) }
        json.raw("}")
        return String(decoding: json.bytes, as: UTF8.self)
    }
}
