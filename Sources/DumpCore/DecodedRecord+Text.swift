import State
import Storage
import Cluster
import RaftModel

extension DecodedRecord {
    /// The record's line: `segment/offset type bytes crc … content`.
    func text(_ limit: ByteText.Limit) -> String {
        let place =
            "\(ByteText.hex(record.segment.sequence, digits: 16))/"
            + ByteText.padded("\(record.offset)", 8, with: "0")
        let head =
            "\(place) \(ByteText.filled(record.type.name, 8)) "
            + "\(ByteText.padded("\(record.frameBytes)", 6)) "
            + "\(ByteText.hex(UInt64(record.crc), digits: 8)) \(record.isIntact ? "ok " : "BAD")"
        let content = contentText(limit)
        return content.isEmpty ? head : "\(head) \(content)"
    }

    private func contentText(_ limit: ByteText.Limit) -> String {
        switch content {
        case .metadata(let ids): "member=\(ids.memberID) cluster=\(ids.clusterID)"
        case .state(let state): "term=\(state.term) vote=\(state.vote) commit=\(state.commit)"
        case .crc(nil): ""
        case .crc(let marker?):
            "marker durable=\(marker.durable) bytes=\(marker.bytes)"
        case .snapshot(let snapshot): "term=\(snapshot.term) index=\(snapshot.index)"
        case .unreadable(let problem): "unreadable: \(problem)"
        case .entry(let term, let index, let content):
            "term=\(term) index=\(index) \(Self.text(content, limit))"
        }
    }

    private static func text(_ content: EntryContent, _ limit: ByteText.Limit) -> String {
        switch content {
        case .nothing: "empty"
        case .command(let request): text(request, limit)
        case .hashReport(let report):
            "HASH member=\(report.member) after=\(report.index) hash="
                + ByteText.hex(report.hash, digits: 16)
        case .confChange(let change): text(change)
        case .foreign(let data, let problem):
            "not of the v2 API (\(problem)): \(ByteText.quoted(data, limit))"
        }
    }

    private static func text(_ request: Request, _ limit: ByteText.Limit) -> String {
        if request.method == .sync {
            return "SYNC time=\(CivilTime(unixNanoseconds: request.time).rfc3339)"
        }
        var text = "\(request.method.word) \(ByteText.escaped(request.path))"
        let writes = request.method == .put || request.method == .post
        if writes, !request.isDirectory { text += " \(ByteText.quoted(request.value, limit))" }
        if request.isDirectory { text += " dir" }
        if request.recursive { text += " recursive" }
        if let exists = request.previousExists { text += " prevExist=\(exists)" }
        if request.previousIndex > 0 { text += " prevIndex=\(request.previousIndex)" }
        if !request.previousValue.isEmpty {
            text += " prevValue=\(ByteText.quoted(request.previousValue, limit))"
        }
        if request.expiration != 0 {
            text += " expires=\(CivilTime(unixNanoseconds: request.expiration).rfc3339)"
        }
        if let refresh = request.refresh { text += " refresh=\(refresh)" }
        return text
    }

    private static func text(_ change: ConfChange) -> String {
        var text = "confchange \(change.kind.name) member=\(change.member)"
        guard change.kind != .remove else { return text }
        guard let member = try? MemberJSON.member(fromContext: change.context) else {
            return "\(text) context=\(ByteText.quoted(change.context))"
        }
        if !member.name.isEmpty { text += " name=\(ByteText.quoted(Array(member.name.utf8)))" }
        let urls = member.peerURLs.joined(separator: ",")
        return "\(text) peerURLs=\(ByteText.escaped(Array(urls.utf8)))"
    }

    /// `text` and, below it, all of the record's data as hex, 32 bytes a line.
    func hexLines() -> [String] {
        stride(from: 0, to: record.data.count, by: 32).map { start in
            let row = record.data[start..<min(record.data.count, start + 32)]
            let letters = row.map {
                (0x20..<0x7f).contains($0) ? Character(Unicode.Scalar($0)) : "."
            }
            let hex = ByteText.filled(ByteText.hex(row), 64)
            return "    \(ByteText.hex(UInt64(start), digits: 6))  \(hex)  \(String(letters))"
        }
    }
}

extension ConfChange.Kind {
    var name: String {
        switch self {
        case .add: "add"
        case .remove: "remove"
        case .update: "update"
        }
    }
}
