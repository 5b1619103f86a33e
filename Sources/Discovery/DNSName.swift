internal import Cluster

/// A host or service name: labels of letters, digits, `-` and `_`. Letter case is kept, and does not
/// count.
///
/// DNS allows any byte in a label. Names with others are refused here: they are no host's, and one
/// with a dot or a slash in a label would turn into another name, or worse, when it is printed.
struct DNSName: Sendable, CustomStringConvertible {
    let labels: [String]

    static let labelBytesMax = 63
    /// On the wire, lengths and end included.
    static let bytesMax = 255

    /// Nil: no such name can exist. A dot at the end is allowed.
    init?(_ text: String) {
        var parts = text.split(separator: ".", omittingEmptySubsequences: false)
        if parts.count > 1, parts.last == "" { parts.removeLast() }
        self.init(labels: parts.map(String.init))
    }

    init?(labels: [String]) {
        let lengths = labels.map(\.utf8.count)
        let isFine = labels.allSatisfy { label in
            label.utf8.allSatisfy {
                $0.isASCIIAlphanumeric || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
            }
        }
        guard isFine, lengths.allSatisfy({ 1...Self.labelBytesMax ~= $0 }),
            lengths.reduce(1, { $0 + $1 + 1 }) <= Self.bytesMax
        else { return nil }
        self.labels = labels
    }

    var isRoot: Bool { labels.isEmpty }

    /// Without the dot at the end.
    var description: String { labels.joined(separator: ".") }
}

extension DNSName: Equatable {
    static func == (a: DNSName, b: DNSName) -> Bool {
        a.description.lowercased() == b.description.lowercased()
    }
}

/// Reads a message from the front; gives nil where it ends too early or says what cannot be.
struct DNSReader {
    private let bytes: [UInt8]
    var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func u8() -> UInt8? {
        guard position < bytes.count else { return nil }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func u16() -> UInt16? {
        guard let high = u8(), let low = u8() else { return nil }
        return UInt16(high) << 8 | UInt16(low)
    }

    mutating func take(_ count: Int) -> [UInt8]? {
        guard let end = end(after: count) else { return nil }
        defer { position = end }
        return Array(bytes[position..<end])
    }

    mutating func skip(_ count: Int) -> Bool { take(count) != nil }

    /// Where `count` bytes from here end, if they are there.
    func end(after count: Int) -> Int? {
        count <= bytes.count - position ? position + count : nil
    }

    /// A name, wherever its pieces lie. A pointer must lead before the piece it ends, so that
    /// no name goes round in circles.
    mutating func name() -> DNSName? {
        var labels: [String] = []
        var length = 1
        var pieceStart = position
        var end: Int?
        while let first = u8() {
            switch first {
            case 0:
                position = end ?? position
                return DNSName(labels: labels)
            case 1...63:
                guard let label = take(Int(first)) else { return nil }
                length += label.count + 1
                guard length <= DNSName.bytesMax else { return nil }
                labels.append(String(decoding: label, as: UTF8.self))
            case 0xC0...0xFF:
                guard let low = u8() else { return nil }
                let target = Int(first & 0x3F) << 8 | Int(low)
                guard target < pieceStart else { return nil }
                end = end ?? position
                (position, pieceStart) = (target, target)
            default: return nil
            }
        }
        return nil
    }
}
