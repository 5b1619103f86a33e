/// Why a command could not do what it was asked for.
package struct DumpError: Error, CustomStringConvertible {
    package let description: String

    package init(_ text: String) { description = text }

    /// Runs `body`; whatever it throws becomes the text.
    static func catching<Result>(_ body: () throws -> Result) throws(DumpError) -> Result {
        do { return try body() } catch let error as DumpError { throw error } catch {
            throw DumpError("\(error)")
        }
    }
}
