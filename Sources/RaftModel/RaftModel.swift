public import ProtoWire

/// The values that members exchange and keep: entries, hard state, snapshots, messages, conf
/// changes, and the commands inside entries; with their protobuf encodings.
///
/// Their schemas are etcd 2.x's (`reference/peer-protocol.md` §4, `reference/disk-format.md` §2
/// and §4), because kvd reads etcd's logs and talks to its members. All of them follow one rule
/// of etcd 2.x: a scalar field is *always* written, zero or not; a `bytes` field that is nil is
/// left out. 2.0 wrote empty `bytes` fields too: `WireDialect` tells which is meant.
///
/// Data flow: `ClientAPI` builds a `Request` once, as the bytes of an `Entry`'s data. `Raft` moves
/// `Entry` values about and never looks inside. `Storage` and `Transport` encode them straight
/// into their buffers. `KVServer` reads a committed entry's command in place (`RequestView`).
///
/// Decoding is bounded and never traps; an error is a `WireError` with its offset *within the
/// message that failed* (for a nested message: within the nested bytes).
public enum WireDialect: Sendable {
    /// As 2.1 to 2.3 and kvd write: empty `bytes` are left out.
    case etcd23
    /// As 2.0 writes: empty `bytes` of entries and snapshots are written with length zero.
    case etcd20
}

/// What every value here can do. Not used as an existential: it only keeps the set complete.
public protocol WireCodable: Sendable {
    /// Bytes that `encode` will write.
    func encodedSize(_ dialect: WireDialect) -> Int
    func encode(into writer: inout WireWriter, _ dialect: WireDialect)
    /// Reads one whole message. `bytes` need only live during the call.
    static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> Self
}

extension WireCodable {
    @inlinable
    public var encodedSize: Int { encodedSize(.etcd23) }

    @inlinable
    public func encode(into writer: inout WireWriter) { encode(into: &writer, .etcd23) }

    /// A fresh array with the encoding: for tests, tools and cold paths.
    public func encoded(_ dialect: WireDialect = .etcd23) -> [UInt8] {
        let size = encodedSize(dialect)
        return [UInt8](unsafeUninitializedCapacity: size) { memory, count in
            var writer = WireWriter(UnsafeMutableRawBufferPointer(memory))
            encode(into: &writer, dialect)
            precondition(writer.count == size, "encodedSize disagrees with encode")
            count = size
        }
    }

    public static func decode(_ bytes: [UInt8]) throws(WireError) -> Self {
        // `withUnsafeBytes` rethrows untyped here, so the result travels as a value.
        let result = bytes.withUnsafeBytes { raw -> Result<Self, WireError> in
            do throws(WireError) { return .success(try decode(raw)) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}
