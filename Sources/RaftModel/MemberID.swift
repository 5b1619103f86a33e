/// A member's id: 64 bits made from its peer URLs (`reference/disk-format.md` §5). Zero is nobody.
public struct MemberID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: UInt64

    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    @inlinable
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    /// Nobody: no leader, no vote, a local message.
    public static let none = MemberID(0)

    @inlinable
    public static func < (a: MemberID, b: MemberID) -> Bool { a.rawValue < b.rawValue }

    /// Lower-case hex without leading zeros, as in paths, headers and JSON.
    public var description: String { String(rawValue, radix: 16) }
}

/// A cluster's id: 64 bits made from its first members' ids (`reference/disk-format.md` §5).
public struct ClusterID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: UInt64

    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    @inlinable
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    @inlinable
    public static func < (a: ClusterID, b: ClusterID) -> Bool { a.rawValue < b.rawValue }

    /// Lower-case hex without leading zeros, as in headers.
    public var description: String { String(rawValue, radix: 16) }
}
