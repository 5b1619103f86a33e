import Glibc

/// Memory whose end is the end of what may be read: one byte further lies a page without access,
/// so a reader that goes past its input ends the process instead of passing by luck.
final class GuardedMemory {
    private let base: UnsafeMutableRawPointer
    private let capacity: Int
    private let pageBytes: Int

    init(bytes: Int) {
        pageBytes = Int(sysconf(Int32(_SC_PAGESIZE)))
        capacity = (bytes + pageBytes - 1) / pageBytes * pageBytes
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        let mapped = mmap(nil, capacity + pageBytes, PROT_READ | PROT_WRITE, flags, -1, 0)
        guard let mapped, mapped != MAP_FAILED else { preconditionFailure("mmap: \(errno)") }
        base = mapped
        let guarded = mprotect(base + capacity, pageBytes, PROT_NONE)
        precondition(guarded == 0, "mprotect failed")
    }

    deinit { munmap(base, capacity + pageBytes) }

    /// A copy of `bytes` that ends where the page without access begins.
    func place(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        precondition(bytes.count <= capacity, "the input is longer than the memory")
        let start = base + (capacity - bytes.count)
        if let source = bytes.baseAddress {
            start.copyMemory(from: source, byteCount: bytes.count)
        }
        return UnsafeRawBufferPointer(start: start, count: bytes.count)
    }
}
