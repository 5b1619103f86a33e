/// What each flag was set to, and by whom; the rest has its default.
struct FlagValues: Sendable {
    enum Source: Equatable, Sendable {
        case commandLine
        /// The variable's whole name.
        case environment(String)
        /// Another flag, such as `addr` for `advertise-client-urls`.
        case derived(from: String)
    }

    private struct Value {
        let text: String
        let source: Source
    }

    let role: ServerRole
    private var values: [String: Value] = [:]
    /// Words after the last flag.
    var leftOverWords: [String] = []
    /// The boolean flag right before them, if there is one: they may be meant as its value.
    var booleanBeforeLeftOver: String?
    /// Lines to log, in their order.
    var notes: [ConfigurationNote] = []

    init(role: ServerRole = .member) { self.role = role }

    /// A flag's text, canonical; its default when nobody set it.
    func text(_ name: String) -> String {
        guard let flag = FlagTable.flag(name) else {
            preconditionFailure("the table has no flag \(name)")
        }
        return values[name]?.text ?? flag.defaultValue
    }

    /// Whether it was given on the command line or in the environment, its default or not.
    func isSet(_ name: String) -> Bool {
        switch values[name]?.source {
        case .commandLine, .environment: true
        case .derived, nil: false
        }
    }

    /// Of the flags that the environment set, the variables that did.
    var variables: [String: String] {
        values.compactMapValues { value in
            guard case .environment(let key) = value.source else { return nil }
            return key
        }
    }

    var setNames: Set<String> { Set(values.keys.filter(isSet)) }

    mutating func set(_ name: String, to text: String, by source: Source) {
        precondition(FlagTable.flag(name) != nil, "only flags of the table have values")
        values[name] = Value(text: text, source: source)
    }

    /// Every setting that is not an empty text, as one word each, for `ServerArguments`.
    var canonicalArguments: [String] {
        let settings = FlagTable.all.filter { $0.isSetting && !text($0.name).isEmpty }
        return settings.map { "--\($0.name)=\(text($0.name))" }
    }
}
