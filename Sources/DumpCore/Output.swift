/// Text on its way out, in large pieces. When nobody reads it any more the rest is dropped.
package final class Output {
    /// Takes the next bytes; false: whoever read them is gone.
    private let sink: ([UInt8]) -> Bool
    private var buffer: [UInt8] = []
    /// Nobody reads it any more: there is no point in going on.
    package private(set) var isClosed = false

    private static let pieceBytes = 64 << 10

    package init(_ sink: @escaping ([UInt8]) -> Bool) { self.sink = sink }

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
        isClosed = !sink(buffer)
        buffer.removeAll(keepingCapacity: true)
    }
}
