/// The content of a snapshot: a stream of parts, each a byte that says what it is, then what it has.
///
///     "kvdstate" 1
///     1 file        name value created modified expiration
///     2 directory   name created modified expiration           what follows is its content, up to
///     3 close                                                  its close; `/` is open from the start
///     4 tree ends
///     5 event       action flags index timeBase key  node  previous          oldest first
///     6 statistics  count, so many numbers
///     7 end         store index, nodes, events                 nothing follows
///     8 dropped     unknown through, depths, and for each: floor, count, keys    after the events
///
/// `dropped` says of what keys the events were that the history no longer has (`DroppedEvents`): a
/// floor and a key are the index of the last event at or below, and how much less those of the key
/// itself and of its removal are; a key has its hash, eight bytes, in front of them.
///
/// Numbers are varints, those that may be negative zigzagged first; names, keys and values are a
/// varint of their size, then their bytes. `modified` is written as what it is more than `created`.
///
/// An event's `flags`: 1 it was a refresh; bits 1–2 where its node is, bits 3–4 where its previous
/// one is: 0 there is none, 1 here (flags, created, modified, expiration, and a file's value), 2 the
/// file that the tree has at the key, 3 the node of an earlier event (how many events earlier). So
/// the history costs little more than its keys where values are still those of the tree.
///
/// Checksums, compression, and what the state is of are the container's (`Storage.SnapshotFormat`).
enum StateFormat {
    static let magic = Array("kvdstate\u{1}".utf8)
    /// A name, key or value longer than this is none.
    static let bytesMax = 1 << 30

    enum Part: UInt8 {
        case file = 1
        case directory, close, treeEnds, event, statistics, end, dropped
    }

    enum Source: UInt8 {
        case absent = 0
        case here, tree, event
    }

    static let refreshFlag: UInt8 = 1
    static let nodeShift: UInt8 = 1
    static let previousShift: UInt8 = 3
    /// Of a node that is written with its event.
    static let directoryFlag: UInt8 = 1
    static let hasValueFlag: UInt8 = 2
}
