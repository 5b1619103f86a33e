import ProtoWire
import RaftModel
import Testing

/// Holds what an entry carries against the bytes it came in.
enum CommandCheck {
    static func check(_ entry: Entry, _ dialect: WireDialect) throws {
        if entry.kind == .confChange {
            let change = try ConfChange.decode(entry.data)
            #expect(change.encodedSize(dialect) == entry.data.count)
            #expect(change.encoded(dialect) == entry.data)
            return
        }
        // A new leader's first entry.
        if entry.data.isEmpty { return }
        let request = try Request.decode(entry.data)
        #expect(request.method != .unknown)
        #expect(request.encodedSize == entry.data.count)
        #expect(request.encoded(dialect) == entry.data)
        try entry.data.withUnsafeBytes { raw in
            let view = try RequestView.decode(raw)
            #expect(Request(view) == request)
            #expect(view.encoded() == entry.data)
        }
    }
}
