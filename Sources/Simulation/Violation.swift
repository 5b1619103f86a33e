/// Something that must never happen has happened.
package struct Violation: Error, Equatable, CustomStringConvertible {
    /// Which rule, in a few words: the same for every run that breaks it, so that a shortened run
    /// can be told from one that fails for another reason.
    package var rule: String
    package var details: String

    package init(_ rule: String, _ details: String) { (self.rule, self.details) = (rule, details) }

    package var description: String { "\(rule): \(details)" }
}
