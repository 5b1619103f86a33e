import Synchronization

/// Text that several threads see.
final class TextBox: Sendable {
    private let value = Mutex("")
    var text: String { value.withLock { $0 } }
    func add(_ more: String) { value.withLock { $0 += more } }
}
