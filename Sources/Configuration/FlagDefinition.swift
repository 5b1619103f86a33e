/// One flag: what it is called, what it takes, what it means.
struct FlagDefinition: Sendable {
    /// What a flag's text must be.
    enum Kind: Sendable, Equatable {
        case text
        /// Go's booleans; on the command line only with `=`, or alone for true.
        case boolean
        /// An unsigned number, Go's notations allowed, in the range given.
        case unsigned(ClosedRange<UInt64>)
        case choice([String])
        /// A comma list of URLs of the form `http://host:port`.
        case urls
        /// A comma list of CORS origins, or `*`.
        case origins
        /// etcd 0.4's `IP:PORT`, which stands for the URL flag named.
        case oldAddress(for: String)
        /// A flag of etcd 0.4 that does nothing any more; takes any value, or none.
        case ignored
        /// A flag of etcd 0.4 whose use is an error.
        case withdrawn
    }

    /// Headings of the help text, in its order.
    enum Group: String, CaseIterable, Sendable {
        case member = "Member"
        case clustering = "Clustering"
        case proxy = "Proxy"
        case security = "Security"
        case logging = "Logging"
        case unsafe = "Unsafe"
        case own = "Additions of kvd"
        case service = "Discovery service (kvd discovery)"
        case experimental = "Experimental"
        case information = "Information"
        case old = "Flags of etcd 0.4"
    }

    let name: String
    let kind: Kind
    let defaultValue: String
    let group: Group
    /// The release that had it first: etcd's, or kvd's own.
    let since: String
    /// One or two sentences for the help text.
    let meaning: String

    init(
        _ name: String, _ kind: Kind, default defaultValue: String = "", _ group: Group,
        since: String = "2.0", _ meaning: String
    ) {
        self.name = name
        self.kind = kind
        self.defaultValue = defaultValue
        self.group = group
        self.since = since
        self.meaning = meaning
    }

    /// May stand alone on the command line, and then takes no following word.
    var isBooleanLike: Bool { kind == .boolean || kind == .ignored }

    /// Whether it reaches `ServerArguments`.
    var isSetting: Bool {
        switch kind {
        case .oldAddress, .ignored, .withdrawn: false
        case .text, .boolean, .unsigned, .choice, .urls, .origins:
            !["version", "interface"].contains(name)
        }
    }

    /// The part of its variables' names after `ETCD_` and `KVD_`.
    var environmentSuffix: String {
        name.uppercased().replacing("-", with: "_")
    }
}
