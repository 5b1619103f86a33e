import State
import Storage
import StorageIO

/// Why a command could not do what it was asked for. Names the file, and the way out.
package struct DumpError: Error, Equatable, Sendable, CustomStringConvertible {
    package var description: String
    /// What was asked for makes no sense, whatever the files are.
    package var isUsage = false

    package init(_ description: String) { self.description = description }

    package static func usage(_ description: String) -> DumpError {
        var error = DumpError(description)
        error.isUsage = true
        return error
    }

    /// Runs `body`; its error's description is what is said.
    static func catching<Result: ~Copyable, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(DumpError) -> Result {
        do throws(Failure) { return try body() } catch {
            throw DumpError("\(error)")
        }
    }
}
