import StorageIO

/// How far a long run is: told now and then, from its second second on.
package final class Progress {
    private let show: ((String) -> Void)?
    private let startedAt = MachineClock.monotonicNanoseconds
    private var nextAt: Int64
    private var label = ""
    private var done = 0
    private var total = 0
    private var hasShown = false

    private static let firstAfter: Int64 = 1_000_000_000
    private static let interval: Int64 = 200_000_000

    /// `show` gets a line that takes the place of the one before; an empty one at the end. Nil: no
    /// one looks.
    package init(_ show: ((String) -> Void)?) {
        self.show = show
        nextAt = startedAt + Self.firstAfter
    }

    func begin(_ label: String, totalBytes: Int) {
        (self.label, total, done) = (label, totalBytes, 0)
    }

    func add(_ bytes: Int) {
        done += bytes
        guard let show else { return }
        let now = MachineClock.monotonicNanoseconds
        guard now >= nextAt else { return }
        nextAt = now + Self.interval
        hasShown = true
        let percent = total > 0 ? " \(min(100, done * 100 / total)) %" : ""
        show("\(label)\(percent)  \(ByteText.size(done))")
    }

    package func end() {
        guard hasShown, let show else { return }
        hasShown = false
        show("")
    }
}
