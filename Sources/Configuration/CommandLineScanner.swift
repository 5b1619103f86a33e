/// Takes a command line apart by the rules of Go's flag package, which etcd's users know.
///
///     -flag  --flag  -flag=value  --flag=value  -flag value
///
/// Booleans take no following word. Scanning ends at the first word that is no flag, after `--`,
/// or at a request for help. Of a flag given twice the last counts.
/// Source: `reference/cli.md` §1.
enum CommandLineScanner {
    enum End: Equatable {
        case complete
        case help
    }

    /// A word split into a flag's name and, after `=`, its value.
    private struct Word {
        let name: String
        let value: String?
    }

    /// Reads all words. After a fault, which is where Go stops, it goes on to find more.
    static func scan(
        _ arguments: [String], _ addresses: AddressPlaceholders, into values: inout FlagValues,
        faults: inout [ConfigurationFault]
    ) -> End {
        var rest = arguments[...]
        var lastBoolean: String?
        while let argument = rest.first, argument.hasPrefix("-"), argument != "-" {
            rest = rest.dropFirst()
            if argument == "--" { break }
            lastBoolean = nil
            guard let word = split(argument) else {
                faults.append(.badFlagSyntax(argument))
                continue
            }
            guard let flag = FlagTable.flag(word.name) else {
                if faults.isEmpty, word.name == "help" || word.name == "h" { return .help }
                faults.append(.unknownFlag(word.name, nearest: NearestName.to(word.name)))
                // Most likely its value; Go would not have come this far.
                if word.value == nil, let next = rest.first, !next.hasPrefix("-") {
                    rest = rest.dropFirst()
                }
                continue
            }
            let value: String
            if let given = word.value {
                value = given
            } else if flag.isBooleanLike {
                value = "true"
                lastBoolean = flag.name
            } else if let next = rest.first {
                value = next
                rest = rest.dropFirst()
            } else {
                faults.append(.missingArgument(flag.name))
                continue
            }
            take(value, for: flag, addresses, into: &values, faults: &faults)
        }
        values.leftOverWords = Array(rest)
        values.booleanBeforeLeftOver = lastBoolean
        return .complete
    }

    private static func split(_ argument: String) -> Word? {
        let text = argument.dropFirst(argument.hasPrefix("--") ? 2 : 1)
        guard let first = text.first, first != "-", first != "=" else { return nil }
        guard let equals = text.firstIndex(of: "=") else {
            return Word(name: String(text), value: nil)
        }
        return Word(
            name: String(text[..<equals]), value: String(text[text.index(after: equals)...]))
    }

    private static func take(
        _ value: String, for flag: FlagDefinition, _ addresses: AddressPlaceholders,
        into values: inout FlagValues, faults: inout [ConfigurationFault]
    ) {
        do throws(ValueError) {
            let text = try flag.canonical(value, addresses, &values.notes)
            values.set(flag.name, to: text, by: .commandLine)
            if flag.kind == .ignored { values.notes.append(.ignoredFlag(flag.name)) }
        } catch {
            faults.append(.badValue(value, flag: flag.name, error))
        }
    }
}

extension ConfigurationNote {
    static func ignoredFlag(_ name: String) -> ConfigurationNote {
        ConfigurationNote(
            .warning, "flags", "flag \"-\(name)\" is no longer supported - ignoring.")
    }
}
