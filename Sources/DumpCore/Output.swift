/// Text on its way out, in large pieces. When nobody reads it any more the rest is dropped.
package final class Output {
    /// What became of bytes that were written.
    package enum Fate: Equatable, Sendable {
        case written
        /// Whoever read them is gone: `| head`.
        case nobodyReads
        /// They could not be written, with this errno: what came out is not whole.
        case failed(Int32)
    }

    private let sink: ([UInt8]) -> Fate
    private var buffer: [UInt8] = []
    /// Nobody reads it any more: there is no point in going on.
    package private(set) var isClosed = false
    /// Why it is not whole.
    package private(set) var failure: Int32?

    private static let pieceBytes = 64 << 10

    package init(_ sink: @escaping ([UInt8]) -> Fate) { self.sink = sink }

    package func line(_ text: String) {
        guard !isClosed else { return }
        buffer.append(contentsOf: text.utf8)
        endLine()
    }

    func line(_ json: JSONLine) {
        guard !isClosed else { return }
        buffer.append(contentsOf: json.bytes)
        endLine()
    }

    private func endLine() {
        buffer.append(UInt8(ascii: "\n"))
        if buffer.count >= Self.pieceBytes { flush() }
    }

    package func flush() {
        guard !buffer.isEmpty, !isClosed else { return }
        switch sink(buffer) {
        case .written: break
        case .nobodyReads: isClosed = true
        case .failed(let errno): (isClosed, failure) = (true, errno)
        }
        buffer.removeAll(keepingCapacity: true)
    }
}
