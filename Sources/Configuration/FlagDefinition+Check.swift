internal import Cluster

extension FlagDefinition {
    /// As below, with names of this machine's addresses replaced first; `notes` get what by.
    func canonical(
        _ text: String, _ addresses: AddressPlaceholders, _ notes: inout [ConfigurationNote]
    ) throws(ValueError) -> String {
        guard mayNameAddresses else { return try canonical(text) }
        var text = text
        for note in try addresses.replace(in: &text) where !notes.contains(note) {
            notes.append(note)
        }
        return try canonical(text)
    }

    /// Checks a value and returns it in the one form that `ServerArguments` reads: booleans as
    /// `true` and `false`, numbers in decimal, everything else as written.
    func canonical(_ text: String) throws(ValueError) -> String {
        switch kind {
        case .text, .ignored:
            return text
        case .boolean:
            guard let value = GoValues.boolean(text) else {
                throw ValueError("parse error", advice: "Write -\(name)=true or -\(name)=false.")
            }
            return String(value)
        case .unsigned(let range):
            let number = try GoValues.unsigned(text)
            guard range.contains(number) else {
                throw ValueError(
                    "value out of range",
                    advice: "Give a number from \(range.lowerBound) to \(range.upperBound).")
            }
            return String(number)
        case .choice(let choices):
            guard choices.contains(text) else {
                throw ValueError(
                    "invalid value", advice: "Use one of: \(choices.joined(separator: ", ")).")
            }
            return text
        case .urls:
            do throws(EndpointURLError) { _ = try EndpointURL.list(text) } catch {
                throw ValueError(error.description, advice: error.advice)
            }
            return text
        case .origins:
            _ = try AllowedOrigins(parsing: text)
            return text
        case .oldAddress:
            return try OldAddress(text).description
        case .withdrawn:
            throw ValueError(
                "flag \"-\(name)\" is no longer supported.",
                advice: "Name the members with -initial-cluster.")
        }
    }
}
