import CKvd

/// What malloc keeps of the memory that was freed.
package enum Heap {
    /// Bytes that nobody uses. Other threads wait meanwhile; see `CKvd`.
    package static var freeBytes: Int { Int(clamping: kvd_heap_free_bytes()) }

    /// Gives it back to the system, as far as it makes whole pages. Other threads wait meanwhile.
    package static func trim() { kvd_heap_trim() }
}
