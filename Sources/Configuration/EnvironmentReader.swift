/// Takes flags from the environment: `KVD_…` before `ETCD_…`, both after the command line.
///
/// A variable that is empty counts as unset. Source: `reference/cli.md` §1.
enum EnvironmentReader {
    private static let prefixes = ["KVD_", "ETCD_"]

    static func read(
        _ environment: [String: String], _ addresses: AddressPlaceholders,
        into values: inout FlagValues, faults: inout [ConfigurationFault]
    ) {
        var known: Set<String> = []
        for flag in FlagTable.all.sorted(by: { $0.name < $1.name }) {
            let keys = prefixes.map { $0 + flag.environmentSuffix }
            known.formUnion(keys)
            var winner = values.isSet(flag.name) ? "flag" : nil
            for key in keys {
                guard let value = environment[key], !value.isEmpty else { continue }
                if let winner {
                    values.notes.append(.shadowed(key, by: winner))
                    continue
                }
                winner = key
                take(value, of: key, for: flag, addresses, into: &values, faults: &faults)
            }
        }
        for (key, value) in environment.sorted(by: { $0.key < $1.key }) where !known.contains(key) {
            guard prefixes.contains(where: { key.hasPrefix($0) }) else { continue }
            values.notes.append(.unrecognized(key, value))
        }
    }

    private static func take(
        _ value: String, of key: String, for flag: FlagDefinition,
        _ addresses: AddressPlaceholders, into values: inout FlagValues,
        faults: inout [ConfigurationFault]
    ) {
        do throws(ValueError) {
            var notes: [ConfigurationNote] = []
            let text = try flag.canonical(value, addresses, &notes)
            values.set(flag.name, to: text, by: .environment(key))
            values.notes += [.recognized(key, value)] + notes
            if flag.kind == .ignored { values.notes.append(.ignoredFlag(flag.name)) }
        } catch {
            faults.append(.badVariable(key, value: value, flag: flag.name, error))
        }
    }
}

extension ConfigurationNote {
    fileprivate static func recognized(_ key: String, _ value: String) -> ConfigurationNote {
        ConfigurationNote(
            .info, "flags", "recognized and used environment variable \(key)=\(value)")
    }

    /// `winner` is `flag` or the name of another variable.
    fileprivate static func shadowed(_ key: String, by winner: String) -> ConfigurationNote {
        // The blank at the end is etcd's.
        let by = winner == "flag" ? "corresponding flag " : winner
        return ConfigurationNote(
            .info, "flags",
            "recognized environment variable \(key), but unused: shadowed by \(by)")
    }

    fileprivate static func unrecognized(_ key: String, _ value: String) -> ConfigurationNote {
        let name = key.drop { $0 != "_" }.dropFirst().lowercased().replacing("_", with: "-")
        let prefix = key.prefix { $0 != "_" }
        let nearest = NearestName.to(name).flatMap(FlagTable.flag)
        let hint = nearest.map { " (did you mean \(prefix)_\($0.environmentSuffix)?)" } ?? ""
        return ConfigurationNote(
            .warning, "flags", "unrecognized environment variable \(key)=\(value)\(hint)")
    }
}
