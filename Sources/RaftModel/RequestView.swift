public import ProtoWire

/// A command of the v2 store, as the data of a normal entry holds it, read where it lies.
///
///      1 id varint            2 method bytes        3 path bytes       4 value bytes
///      5 dir bool             6 prevValue bytes     7 prevIndex varint 8 prevExist bool, optional
///      9 expiration int64    10 wait bool          11 since varint    12 recursive bool
///     13 sorted bool         14 quorum bool        15 time int64      16 stream bool
///     17 refresh bool, optional
///
/// All are always written but 8 and 17. Source: `reference/disk-format.md` §4.1.
///
/// A view does not own its bytes: use it only inside the call that made it. `Request` owns.
public struct RequestView {
    public enum Method: UInt8, Sendable {
        case put, post, delete
        /// A GET with quorum=true, ordered through the log.
        case quorumGet
        /// The leader's clock: what is due by `time` expires.
        case sync
        /// None of etcd 2.x's: a command of another version, which must not be applied.
        case unknown
    }

    public var id: UInt64 = 0
    public var method: Method = .unknown
    /// The store's path, such as `/1/a/b`: any bytes.
    public var path = UnsafeRawBufferPointer(start: nil, count: 0)
    public var value = UnsafeRawBufferPointer(start: nil, count: 0)
    public var isDirectory = false
    public var previousValue = UnsafeRawBufferPointer(start: nil, count: 0)
    public var previousIndex: UInt64 = 0
    public var previousExists: Bool?
    /// Unix nanoseconds; 0 is never.
    public var expiration: Int64 = 0
    public var wait = false
    public var since: UInt64 = 0
    public var recursive = false
    public var sorted = false
    public var quorum = false
    /// Unix nanoseconds, in `.sync` only.
    public var time: Int64 = 0
    public var stream = false
    public var refresh: Bool?

    @inlinable
    public init() {}
}

extension RequestView.Method {
    /// The word on the wire.
    public var word: StaticString {
        switch self {
        case .put: "PUT"
        case .post: "POST"
        case .delete: "DELETE"
        case .quorumGet: "QGET"
        case .sync: "SYNC"
        case .unknown: ""
        }
    }

    /// Read as one number, because five words compared byte by byte take longer than the rest of
    /// the command.
    init(_ word: UnsafeRawBufferPointer) {
        guard word.count <= 8 else {
            self = .unknown
            return
        }
        var letters: UInt64 = 0
        for byte in word { letters = letters << 8 | UInt64(byte) }
        switch letters {
        case 0x50_55_54: self = .put
        case 0x50_4f_53_54: self = .post
        case 0x44_45_4c_45_54_45: self = .delete
        case 0x51_47_45_54: self = .quorumGet
        case 0x53_59_4e_43: self = .sync
        default: self = .unknown
        }
        // A word that begins with NULs has the same number.
        if self != .unknown, word.count != self.word.utf8CodeUnitCount { self = .unknown }
    }
}

extension RequestView {
    public var encodedSize: Int {
        var size = WireSize.varintField(1, id)
        size += WireSize.bytesField(2, count: method.word.utf8CodeUnitCount)
        size += WireSize.bytesField(3, count: path.count)
        size += WireSize.bytesField(4, count: value.count)
        size += 2 + WireSize.bytesField(6, count: previousValue.count)
        size += WireSize.varintField(7, previousIndex)
        if previousExists != nil { size += 2 }
        size += WireSize.varintField(9, UInt64(bitPattern: expiration))
        size += 2 + WireSize.varintField(11, since) + 2 + 2 + 2
        size += WireSize.varintField(15, UInt64(bitPattern: time))
        // Fields above 15 have tags of two bytes.
        size += 3
        if refresh != nil { size += 3 }
        return size
    }

    public func encode(into writer: inout WireWriter) {
        writer.varintField(1, id)
        method.word.withUTF8Buffer { writer.bytesField(2, UnsafeRawBufferPointer($0)) }
        writer.bytesField(3, path)
        writer.bytesField(4, value)
        writer.boolField(5, isDirectory)
        writer.bytesField(6, previousValue)
        writer.varintField(7, previousIndex)
        if let previousExists { writer.boolField(8, previousExists) }
        writer.varintField(9, UInt64(bitPattern: expiration))
        writer.boolField(10, wait)
        writer.varintField(11, since)
        writer.boolField(12, recursive)
        writer.boolField(13, sorted)
        writer.boolField(14, quorum)
        writer.varintField(15, UInt64(bitPattern: time))
        writer.boolField(16, stream)
        if let refresh { writer.boolField(17, refresh) }
    }

    /// The bytes of an entry's data: one allocation, one copy of path and value.
    public func encoded() -> [UInt8] {
        precondition(method != .unknown, "a command of an unknown method is never written")
        let size = encodedSize
        return [UInt8](unsafeUninitializedCapacity: size) { memory, count in
            var writer = WireWriter(UnsafeMutableRawBufferPointer(memory))
            encode(into: &writer)
            precondition(writer.count == size, "encodedSize disagrees with encode")
            count = size
        }
    }

    /// Reads a command in place. The view is valid as long as `bytes` are.
    public static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> RequestView {
        var view = RequestView()
        var reader = WireReader(bytes)
        while let field = try reader.nextField() {
            switch field.number {
            case 1: view.id = try reader.varint(of: field)
            case 2: view.method = Method(try reader.bytes(of: field))
            case 3: view.path = try reader.bytes(of: field)
            case 4: view.value = try reader.bytes(of: field)
            case 5: view.isDirectory = try reader.bool(of: field)
            case 6: view.previousValue = try reader.bytes(of: field)
            case 7: view.previousIndex = try reader.varint(of: field)
            case 8: view.previousExists = try reader.bool(of: field)
            case 9: view.expiration = Int64(bitPattern: try reader.varint(of: field))
            case 10: view.wait = try reader.bool(of: field)
            case 11: view.since = try reader.varint(of: field)
            case 12: view.recursive = try reader.bool(of: field)
            case 13: view.sorted = try reader.bool(of: field)
            case 14: view.quorum = try reader.bool(of: field)
            case 15: view.time = Int64(bitPattern: try reader.varint(of: field))
            case 16: view.stream = try reader.bool(of: field)
            case 17: view.refresh = try reader.bool(of: field)
            default: try reader.skip(field)
            }
        }
        return view
    }
}
