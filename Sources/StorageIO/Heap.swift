import CKvd

/// What malloc has, of which it gives back by itself only what lies at the end of its heap.
package struct Heap: Equatable, Sendable {
    /// Bytes that nobody uses.
    package var freeBytes: Int
    package var usedBytes: Int

    package init(freeBytes: Int, usedBytes: Int) {
        (self.freeBytes, self.usedBytes) = (freeBytes, usedBytes)
    }

    /// Other threads wait meanwhile; see `CKvd`.
    package static func measure() -> Heap {
        var (free, used) = (0, 0)
        kvd_heap_measure(&free, &used)
        return Heap(freeBytes: free, usedBytes: used)
    }

    /// Gives what is free back to the system, as far as it makes whole pages. Other threads wait
    /// meanwhile.
    package static func trim() { kvd_heap_trim() }
}
