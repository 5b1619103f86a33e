/// DNS messages: a question written, an answer read without trusting a byte of it.
///
///     0       2       4       6       8       10      12
///     +-------+-------+-------+-------+-------+-------+------------+---------+-----
///     | id    | flags | QD    | AN    | NS    | AR    | questions  | answers | …
///     +-------+-------+-------+-------+-------+-------+------------+---------+-----
///              15 14-11  10 9  8  7 6-4 3-0
///              QR OPCODE AA TC RD RA Z  RCODE
///
///     question   name, type u16, class u16
///     record     name, type u16, class u16, ttl u32, length u16, data
///     SRV data   priority u16, weight u16, port u16, target name
///     name       (length u8 1...63, that many bytes)…, then 0; or in place of a length two bytes
///                11oooooo oooooooo: go on at offset o
///
/// Big-endian throughout. Source: RFC 1035 §4, RFC 2782.
struct DNSMessage: Equatable, Sendable {
    enum Kind: UInt16, Sendable {
        case a = 1
        case cname = 5
        case aaaa = 28
        case srv = 33
    }

    struct Record: Equatable, Sendable {
        var name: DNSName
        var content: Content

        enum Content: Equatable, Sendable {
            /// 4 or 16 bytes.
            case address([UInt8])
            case alias(DNSName)
            case service(priority: UInt16, weight: UInt16, port: UInt16, target: DNSName)
            case other
        }
    }

    var id: UInt16
    var isAnswer: Bool
    var isTruncated: Bool
    /// 0: no error; 2: the server failed; 3: no such name.
    var responseCode: UInt8
    var question: DNSQuestion
    var answers: [Record]

    /// More records than this in one answer are no cluster's.
    static let recordsMax = 1024

    /// Reads a message with exactly one question. Nil: it is broken somewhere. What follows the
    /// answers is not looked at.
    init?(parsing bytes: [UInt8]) {
        var reader = DNSReader(bytes)
        guard let id = reader.u16(), let flags = reader.u16(), reader.u16() == 1,
            let answersCount = reader.u16(), answersCount <= Self.recordsMax,
            reader.u16() != nil, reader.u16() != nil,
            let name = reader.name(), let kind = reader.u16(), reader.u16() == Self.internet,
            flags >> 11 & 0xF == 0
        else { return nil }
        self.id = id
        isAnswer = flags & 0x8000 != 0
        isTruncated = flags & 0x0200 != 0
        responseCode = UInt8(flags & 0xF)
        question = DNSQuestion(name: name, type: kind)
        answers = []
        // A truncated answer ends anywhere; it is asked for anew by TCP.
        guard !isTruncated else { return }
        for _ in 0..<answersCount {
            guard let record = Self.record(&reader) else { return nil }
            answers.append(record)
        }
    }

    private static let internet: UInt16 = 1

    private static func record(_ reader: inout DNSReader) -> Record? {
        guard let name = reader.name(), let type = reader.u16(), let group = reader.u16(),
            reader.skip(4), let length = reader.u16(), let end = reader.end(after: Int(length))
        else { return nil }
        defer { reader.position = end }
        guard group == internet, let kind = Kind(rawValue: type) else {
            return Record(name: name, content: .other)
        }
        let content: Record.Content
        switch kind {
        case .a, .aaaa:
            guard length == (kind == .a ? 4 : 16), let bytes = reader.take(Int(length)) else {
                return nil
            }
            content = .address(bytes)
        case .cname:
            guard let target = reader.name(), reader.position == end else { return nil }
            content = .alias(target)
        case .srv:
            guard let priority = reader.u16(), let weight = reader.u16(), let port = reader.u16(),
                let target = reader.name(), reader.position == end
            else { return nil }
            content = .service(priority: priority, weight: weight, port: port, target: target)
        }
        return Record(name: name, content: content)
    }

    /// What the message says about its question, aliases followed.
    var records: [Record.Content] {
        var name = question.name
        for _ in 0..<8 {
            let found = answers.filter { $0.name == name }.map(\.content)
            let wanted = found.filter { question.asks(for: $0) }
            if !wanted.isEmpty { return wanted }
            guard case .alias(let target)? = found.first(where: \.isAlias) else { return [] }
            name = target
        }
        return []
    }
}

/// What is asked.
struct DNSQuestion: Equatable, Sendable {
    var name: DNSName
    var type: UInt16

    init(name: DNSName, type: UInt16) { (self.name, self.type) = (name, type) }

    init(_ kind: DNSMessage.Kind, _ name: DNSName) { self.init(name: name, type: kind.rawValue) }

    fileprivate func asks(for content: DNSMessage.Record.Content) -> Bool {
        switch content {
        case .address(let bytes):
            bytes.count == 4
                ? type == DNSMessage.Kind.a.rawValue : type == DNSMessage.Kind.aaaa.rawValue
        case .service: type == DNSMessage.Kind.srv.rawValue
        case .alias, .other: false
        }
    }

    /// The whole message that asks it; recursion is wanted.
    func encoded(id: UInt16) -> [UInt8] {
        var bytes: [UInt8] = []
        for word in [id, 0x0100, 1, 0, 0, 0] as [UInt16] { bytes.append(bigEndian: word) }
        for label in name.labels {
            bytes.append(UInt8(label.utf8.count))
            bytes += label.utf8
        }
        bytes.append(0)
        bytes.append(bigEndian: type)
        bytes.append(bigEndian: 1)
        return bytes
    }
}

extension DNSMessage.Record.Content {
    fileprivate var isAlias: Bool {
        if case .alias = self { true } else { false }
    }
}

extension [UInt8] {
    mutating func append(bigEndian word: UInt16) {
        append(UInt8(word >> 8))
        append(UInt8(truncatingIfNeeded: word))
    }
}
