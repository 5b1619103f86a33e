import State
import Storage
import Cluster
import RaftModel

extension DecodedRecord {
    /// The record as an object; `hex`: with its data.
    func json(_ limit: ByteText.Limit, hex: Bool) -> JSONLine {
        var line = JSONLine()
        line.string("segment", "\(record.segment)")
        line.number("offset", record.offset)
        line.number("record", record.number)
        line.string("type", record.type.name)
        line.number("bytes", record.frameBytes)
        line.string("crc", ByteText.hex(UInt64(record.crc), digits: 8))
        line.flag("ok", record.isIntact)
        addContent(to: &line, limit)
        if hex { line.string("dataHex", ByteText.hex(record.data)) }
        return line
    }

    private func addContent(to line: inout JSONLine, _ limit: ByteText.Limit) {
        switch content {
        case .metadata(let ids):
            line.string("member", "\(ids.memberID)")
            line.string("cluster", "\(ids.clusterID)")
        case .state(let state):
            line.number("term", state.term)
            line.string("vote", "\(state.vote)")
            line.number("commit", state.commit)
        case .crc(nil): break
        case .crc(let marker?):
            line.flag("marker", true)
            line.number("durable", marker.durable)
            line.number("batchBytes", marker.bytes)
        case .snapshot(let snapshot):
            line.number("term", snapshot.term)
            line.number("index", snapshot.index)
        case .unreadable(let problem): line.string("problem", problem)
        case .entry(let term, let index, let content):
            line.number("term", term)
            line.number("index", index)
            Self.add(content, to: &line, limit)
        }
    }

    private static func add(
        _ content: EntryContent, to line: inout JSONLine, _ limit: ByteText.Limit
    ) {
        switch content {
        case .nothing: line.string("kind", "empty")
        case .command(let request):
            line.string("kind", "command")
            add(request, to: &line, limit)
        case .hashReport(let report):
            line.string("kind", "hash")
            line.string("member", "\(report.member)")
            line.number("after", report.index)
            line.string("hash", ByteText.hex(report.hash, digits: 16))
        case .confChange(let change):
            line.string("kind", "confchange")
            add(change, to: &line)
        case .foreign(let data, let problem):
            line.string("kind", "foreign")
            line.string("problem", problem)
            add("data", data, to: &line, limit)
        }
    }

    private static func add(
        _ request: Request, to line: inout JSONLine, _ limit: ByteText.Limit
    ) {
        line.string("method", "\(request.method.word)")
        if request.method == .sync {
            line.string("time", CivilTime(unixNanoseconds: request.time).rfc3339)
            return
        }
        line.number("id", request.id)
        line.bytes("path", request.path)
        if (request.method == .put || request.method == .post) && !request.isDirectory {
            add("value", request.value, to: &line, limit)
        }
        if request.isDirectory { line.flag("dir", true) }
        if request.recursive { line.flag("recursive", true) }
        if let exists = request.previousExists { line.flag("prevExist", exists) }
        if request.previousIndex > 0 { line.number("prevIndex", request.previousIndex) }
        if !request.previousValue.isEmpty {
            add("prevValue", request.previousValue, to: &line, limit)
        }
        if request.expiration != 0 {
            line.string("expires", CivilTime(unixNanoseconds: request.expiration).rfc3339)
        }
        if let refresh = request.refresh { line.flag("refresh", refresh) }
    }

    private static func add(_ change: ConfChange, to line: inout JSONLine) {
        line.string("change", change.kind.name)
        line.string("member", "\(change.member)")
        guard change.kind != .remove else { return }
        guard let member = try? MemberJSON.member(fromContext: change.context) else {
            line.bytes("context", change.context)
            return
        }
        line.string("name", member.name)
        line.strings("peerURLs", member.peerURLs)
    }

    /// A value, cut where it is over the limit; its size says whether it was.
    private static func add(
        _ name: String, _ value: [UInt8], to line: inout JSONLine, _ limit: ByteText.Limit
    ) {
        if case .bytes(let max) = limit, value.count > max {
            line.bytes(name, Array(value.prefix(ByteText.wholeCharacters(value, max))))
        } else {
            line.bytes(name, value)
        }
        line.number("\(name)Bytes", value.count)
    }
}
