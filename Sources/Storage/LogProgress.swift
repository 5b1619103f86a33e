/// Counts the bytes of a recovery, and tells how far it is.
final class LogProgress {
    private let total: Int
    private let tell: (_ bytesRead: Int, _ bytesTotal: Int) -> Void
    private var read = 0

    init(total: Int, tell: @escaping (_ bytesRead: Int, _ bytesTotal: Int) -> Void) {
        self.total = total
        self.tell = tell
    }

    /// Bytes behind an end are looked at twice, so the sum may be more than there is.
    func add(_ count: Int) {
        read = min(read + count, total)
        tell(read, total)
    }

    func finish() {
        guard read < total else { return }
        read = total
        tell(total, total)
    }
}
