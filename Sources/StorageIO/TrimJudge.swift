/// Whether it is time to give memory back to the system, from one look at the heap to the next.
///
/// Free and given back is free too, as malloc counts: what matters is by how much it has grown since.
package struct TrimJudge {
    /// Less is not worth it, however small the process.
    package static let worthwhileBytesMin = 1 << 20
    /// A trim goes through all of the heap: one that is large is not bothered for little.
    private static let worthwhileShare = 32
    /// What counts as the same, of what is worthwhile: nobody is about to use it.
    private static let noiseShare = 4

    private var reference: Int?
    private var last = 0

    package init() {}

    /// A look.
    package mutating func shouldTrim(_ heap: Heap) -> Bool {
        defer { last = heap.freeBytes }
        guard let reference else {
            reference = heap.freeBytes
            return false
        }
        self.reference = min(reference, heap.freeBytes)
        let worthwhile = max(
            Self.worthwhileBytesMin, (heap.usedBytes + heap.freeBytes) / Self.worthwhileShare)
        return heap.freeBytes - reference >= worthwhile
            && abs(heap.freeBytes - last) < worthwhile / Self.noiseShare
    }

    /// It has been done.
    package mutating func trimmed(_ heap: Heap) { reference = heap.freeBytes }
}
