/// Hashes of a path and of everything above it, small enough to be kept for each event of the
/// history and scanned by the hundred thousand. They decide which events are worth looking at;
/// what matches is decided by the paths themselves.
struct PathSignature {
    /// 31 bits for the path itself.
    private(set) var exact: UInt32 = 0
    /// A Bloom filter: three bits for each of the path and its ancestors but the root.
    private(set) var ancestry: UInt64 = 0
    /// The bits of `ancestry` that the path itself has set. A path that lies at or below another
    /// has all of the other's `ownBits` in its ancestry.
    private(set) var ownBits: UInt64 = 0

    /// - Parameter visit: gets the `exact` hash of the root, then of each path down to `path`.
    @inline(__always)
    init(_ path: UnsafeRawBufferPointer, visit: (UInt32) -> Void = { _ in }) {
        var components = PathComponents(path)
        var state = Self.seed
        exact = Self.exact(of: state)
        visit(exact)
        while let component = components.next() {
            state = Self.absorb(component, into: state)
            ownBits = Self.bits(of: state)
            ancestry |= ownBits
            exact = Self.exact(of: state)
            visit(exact)
        }
    }

    static let seed: UInt64 = 0x9E37_79B9_7F4A_7C15
    private static let multiplier: UInt64 = 0xD6E8_FEB8_6659_FD93

    @inline(__always)
    static func absorb(_ component: UnsafeRawBufferPointer, into state: UInt64) -> UInt64 {
        var state = (state ^ UInt64(truncatingIfNeeded: component.count)) &* multiplier
        var offset = 0
        while offset < component.count {
            state = (state ^ (state >> 32) ^ Bytes.word(component, at: offset)) &* multiplier
            offset += 8
        }
        return state ^ (state >> 32)
    }

    @inline(__always)
    private static func exact(of state: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: state >> 33)
    }

    @inline(__always)
    private static func bits(of state: UInt64) -> UInt64 {
        1 << (state & 63) | 1 << (state >> 6 & 63) | 1 << (state >> 12 & 63)
    }
}
