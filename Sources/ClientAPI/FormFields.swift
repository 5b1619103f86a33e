/// The parameters of `/v2/keys` that a server of 2.3 knows, one of 3.4, and kvd's own; all others are
/// ignored.
enum KeysParameter: Int, CaseIterable {
    case value, ttl, prevValue, prevIndex, prevExist, refresh
    case dir, recursive, sorted, wait, waitIndex, quorum, stream
    /// Of 3.4.
    case noValueOnSuccess
    /// Of GET: wait until this member's store has come to an index.
    case minIndex
    // Of GET: see `PageRequest`.
    case limit, after, version, keysOnly, count

    var name: StaticString {
        switch self {
        case .value: "value"
        case .ttl: "ttl"
        case .prevValue: "prevValue"
        case .prevIndex: "prevIndex"
        case .prevExist: "prevExist"
        case .refresh: "refresh"
        case .dir: "dir"
        case .recursive: "recursive"
        case .sorted: "sorted"
        case .wait: "wait"
        case .waitIndex: "waitIndex"
        case .quorum: "quorum"
        case .stream: "stream"
        case .noValueOnSuccess: "noValueOnSuccess"
        case .minIndex: "minIndex"
        case .limit: "limit"
        case .after: "after"
        case .version: "version"
        case .keysOnly: "keysOnly"
        case .count: "count"
        }
    }

    /// Names are case-sensitive.
    @inline(__always)
    init?(_ name: UnsafeRawBufferPointer) {
        if ByteSearch.equal(name, "value") {
            self = .value
            return
        }
        for parameter in Self.others where ByteSearch.equal(name, parameter.name) {
            self = parameter
            return
        }
        return nil
    }

    private static let others = allCases.filter { $0 != .value }
}

/// The known parameters of one request: the raw bytes of the first occurrence of each.
///
/// Forms are read as Go's `net/url` reads them (`reference/client-api.md` §2): pieces between `&`,
/// a name and a value around the first `=`, `+` and percent escapes in both. Nothing is copied or
/// decoded here; every escape is checked, of unknown parameters too.
struct FormFields {
    struct Field {
        var start: UnsafeRawPointer?
        var count = 0
        var isPresent = false
        /// Whether it has to be decoded: it contains `%` or `+`.
        var isEncoded = false

        var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }
    }

    private var fields = InlineArray<20, Field>(repeating: Field())
    /// Bytes that decoding all encoded fields needs at most.
    private(set) var encodedBytesCount = 0

    init() { assert(KeysParameter.allCases.count == fields.count, "a field for each parameter") }

    @inline(__always)
    subscript(parameter: KeysParameter) -> Field { fields[parameter.rawValue] }

    /// Reads a body or a query; fields that are there already win.
    ///
    /// Bad pieces do not stop the reading, but the error tells of one: of a semicolon if there is
    /// any, else of the first broken escape.
    mutating func read(
        _ form: UnsafeRawBufferPointer, scratch: inout ByteWriter
    ) throws(KeysFault) {
        var fault: KeysFault?
        var rest = form
        while !rest.isEmpty {
            let end = ByteSearch.first(UInt8(ascii: "&"), in: rest) ?? rest.count
            let piece = UnsafeRawBufferPointer(rebasing: rest[..<end])
            rest = UnsafeRawBufferPointer(rebasing: rest[min(end + 1, rest.count)...])
            if piece.isEmpty { continue }
            if ByteSearch.first(UInt8(ascii: ";"), in: piece) != nil {
                fault = .semicolon
                continue
            }
            if let found = readPiece(piece, scratch: &scratch), fault == nil { fault = found }
        }
        if let fault { throw fault }
    }

    @inline(__always)
    private mutating func readPiece(
        _ piece: UnsafeRawBufferPointer, scratch: inout ByteWriter
    ) -> KeysFault? {
        let equals = ByteSearch.first(UInt8(ascii: "="), in: piece) ?? piece.count
        let name = UnsafeRawBufferPointer(rebasing: piece[..<equals])
        let value = UnsafeRawBufferPointer(rebasing: piece[min(equals + 1, piece.count)...])
        var isEncoded = ByteSearch.first(UInt8(ascii: "+"), in: value) != nil
        if ByteSearch.first(UInt8(ascii: "%"), in: piece) != nil {
            for part in [name, value] {
                guard let broken = PercentCoding.firstBroken(part) else { continue }
                return .brokenEscape(UnsafeRawBufferPointer(rebasing: part[broken...]))
            }
            isEncoded = true
        }
        guard let parameter = Self.parameter(name, scratch: &scratch) else { return nil }
        guard !fields[parameter.rawValue].isPresent else { return nil }
        fields[parameter.rawValue] = Field(
            start: value.baseAddress, count: value.count, isPresent: true, isEncoded: isEncoded)
        if isEncoded { encodedBytesCount += value.count }
        return nil
    }

    @inline(__always)
    private static func parameter(
        _ name: UnsafeRawBufferPointer, scratch: inout ByteWriter
    ) -> KeysParameter? {
        if let parameter = KeysParameter(name) { return parameter }
        guard ByteSearch.first(UInt8(ascii: "%"), in: name) != nil else { return nil }
        let mark = scratch.count
        defer { scratch.truncate(to: mark) }
        return KeysParameter(PercentCoding.decodeForm(name, into: &scratch))
    }
}
