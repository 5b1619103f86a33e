package import Foundation

extension Process {
    /// Runs it to its end, which must come by itself; `text` is all that it wrote, to either stream.
    package func runToEnd() throws -> (status: Int32, text: String) {
        let output = Pipe()
        standardOutput = output
        standardError = output
        try run()
        let text = String(
            decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        waitUntilExit()
        return (terminationStatus, text)
    }
}
