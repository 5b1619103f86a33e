/// The name of a file in `member/snap` that holds the first part of a snapshot that a leader sends:
/// `<term>-<index>.ksnap.<identity>.part`.
///
/// The identity is the sender's word for the very file (`SnapshotReader.identity`). It is in the name so
/// that the transfer can go on after a restart of the receiver, too, with no second file beside it that
/// a crash could part from the first.
public struct PartialSnapshot: Hashable, Sendable {
    public var name: SnapshotName
    public var identity: String

    static let suffix = ".part"
    /// Four numbers in hex, and what is between them.
    private static let identityBytesMax = 80

    /// Nil: with this identity it cannot be gone on with after a restart.
    public init?(_ name: SnapshotName, identity: String) {
        let isPlain = identity.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard isPlain, (1...Self.identityBytesMax).contains(identity.utf8.count),
            name.format == .kvd
        else { return nil }
        (self.name, self.identity) = (name, identity)
    }

    init?(fileName: String) {
        let parts = fileName.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[3] == Self.suffix.dropFirst(),
            let name = SnapshotName("\(parts[0]).\(parts[1])")
        else { return nil }
        self.init(name, identity: String(parts[2]))
    }

    var fileName: String { "\(name).\(identity)\(Self.suffix)" }
}
