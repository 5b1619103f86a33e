/// What `--help` prints, made from the flag table; and the short form that follows a mistake.
enum UsageText {
    static let usage = """
        usage: kvd [flags]
               starts a server, a member of a cluster that speaks etcd 2.3's API

               kvd discovery [flags]
               starts a discovery service, which helps new clusters form (see --discovery)

               kvd --check [flags]
               says what is wrong with them, and starts nothing

               kvd --version
               prints versions

               kvd -h | --help
               prints all flags

        """

    /// 100 columns wide.
    static var help: String {
        var text = usage
        text += """

            Flags: -flag or --flag; -flag=VALUE or -flag VALUE, booleans -flag or -flag=false.
            Each can be set in the environment: --data-dir is KVD_DATA_DIR or ETCD_DATA_DIR.
            The command line comes first, then KVD_, then ETCD_, then the default.

            """
        for group in FlagDefinition.Group.allCases {
            text += "\n\(group.rawValue):\n"
            let flags = FlagTable.all.filter { $0.group == group }
            for flag in flags where flag.kind != .ignored { text += entry(flag) }
        }
        let ignored = FlagTable.all.filter { $0.kind == .ignored }.map { "--\($0.name)" }
        text += "  Ignored, with a warning:\n"
        text += paragraph(ignored.joined(separator: " "))
        return text
    }

    /// Two lines or more: the flag; its meaning, wrapped; its default, if that says anything.
    private static func entry(_ flag: FlagDefinition) -> String {
        var text = "  --\(flag.name)\(placeholder(flag))\n"
        let isUnbuilt = ServerConfiguration.unbuiltFlags.contains(flag.name)
        text += paragraph(flag.meaning + (isUnbuilt ? " (Not in this version yet.)" : ""))
        guard !flag.defaultValue.isEmpty, flag.kind != .boolean else { return text }
        return text + "        default: \(flag.defaultValue)\n"
    }

    private static func paragraph(_ text: String) -> String {
        wrapped(text, width: 90).map { "        \($0)\n" }.joined()
    }

    private static func placeholder(_ flag: FlagDefinition) -> String {
        switch flag.kind {
        case .boolean where flag.name == "version": ""
        case .boolean: "[=false]"
        case .unsigned: " N"
        case .choice(let choices): " " + choices.joined(separator: "|")
        case .urls: " URL,…"
        case .origins: " ORIGIN,…"
        case .oldAddress: " IP:PORT"
        case .text: " " + textPlaceholder(flag.name)
        case .ignored, .withdrawn: ""
        }
    }

    private static func textPlaceholder(_ name: String) -> String {
        if name.hasSuffix("-file") { return "FILE" }
        if name.hasSuffix("-dir") { return "DIR" }
        switch name {
        case "name", "interface": return "NAME"
        case "initial-cluster": return "NAME=URL,…"
        case "discovery", "discovery-proxy", "advertise-url": return "URL"
        case "dns-server": return "HOST:PORT"
        case "discovery-srv": return "DOMAIN"
        case "log-package-levels": return "PACKAGE=LEVEL,…"
        default: return "TEXT"
        }
    }

    static func wrapped(_ text: String, width: Int) -> [String] {
        var lines = [""]
        for word in text.split(separator: " ") {
            let line = lines[lines.count - 1]
            if line.isEmpty {
                lines[lines.count - 1] = String(word)
            } else if line.count + 1 + word.count <= width {
                lines[lines.count - 1] = "\(line) \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}
