/// A snapshot's file name: `<term>-<index>.ksnap`, or etcd's `<term>-<index>.snap`.
public struct SnapshotName: Hashable, Sendable, CustomStringConvertible {
    public enum Format: Hashable, Sendable {
        /// kvd's own.
        case kvd
        /// etcd 2.x's.
        case etcd

        var suffix: String { self == .kvd ? ".ksnap" : ".snap" }
    }

    public var term: UInt64
    public var index: UInt64
    public var format: Format

    public init(term: UInt64, index: UInt64, format: Format) {
        (self.term, self.index, self.format) = (term, index, format)
    }

    /// Nil if `name` is not a snapshot's.
    public init?(_ name: String) {
        let format: Format
        if name.hasSuffix(Format.kvd.suffix) {
            format = .kvd
        } else if name.hasSuffix(Format.etcd.suffix) {
            format = .etcd
        } else {
            return nil
        }
        // The numbers are written like a segment's.
        let stem = name.dropLast(format.suffix.utf8.count)
        guard let numbers = WALSegmentName("\(stem).wal") else { return nil }
        self.init(term: numbers.sequence, index: numbers.firstIndex, format: format)
    }

    public var description: String {
        "\(WALSegmentName.hexDigits(term))-\(WALSegmentName.hexDigits(index))\(format.suffix)"
    }

    /// Whether it is to be tried before `other`: it is of a later state; at the same, ours.
    func isNewer(than other: SnapshotName) -> Bool {
        if index != other.index { return index > other.index }
        if term != other.term { return term > other.term }
        return format == .kvd && other.format == .etcd
    }
}
