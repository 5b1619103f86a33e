/// The numbers of records that are kept in two slots, written in turn (`VoteRecord`, `CommitMark`).
///
/// They are counted around: one of two follows the other, and is the later one, whatever they are. No
/// number is so large that what is written after it would not count.
enum SlotNumber {
    /// Different numbers; in two slots they differ in their lowest bit, so there is always an answer.
    static func isLater(_ a: UInt64, than b: UInt64) -> Bool { Int64(bitPattern: a &- b) > 0 }
}
