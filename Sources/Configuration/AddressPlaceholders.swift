internal import Cluster

/// `$private_ipv4` and `$public_ipv4`, as cloud-config writes this machine's addresses.
///
/// On CoreOS a service of its own puts addresses in their places, and puts nothing there where it
/// knows none. Here each stands for what the first of these has:
///
///     the environment           COREOS_PRIVATE_IPV4, COREOS_PUBLIC_IPV4
///     /etc/environment          the same names
///     --interface NAME          its address
///     the default route         the address of the interface that it leaves by
struct AddressPlaceholders: Sendable {
    /// The name after `$`, and the variable that it stands for.
    static let variables = [
        "private_ipv4": "COREOS_PRIVATE_IPV4", "public_ipv4": "COREOS_PUBLIC_IPV4",
    ]

    let environment: [String: String]
    let machine: Machine
    /// As `--interface` says; empty: the default route's.
    let interface: String

    struct Address: Equatable {
        var text: String
        /// For the log.
        var origin: String
    }

    /// Puts addresses in the places of their names; returns a line for each, for the log.
    func replace(in text: inout String) throws(ValueError) -> [ConfigurationNote] {
        var notes: [ConfigurationNote] = []
        for (name, variable) in Self.variables.sorted(by: { $0.key < $1.key }) {
            let spellings = ["${\(name)}", "$\(name)"].filter { text.contains($0) }
            guard !spellings.isEmpty else { continue }
            guard let address = address(variable) else {
                throw ValueError("$\(name) has no value", advice: advice(variable))
            }
            for spelling in spellings { text = text.replacing(spelling, with: address.text) }
            notes.append(
                ConfigurationNote(
                    .info, "flags", "$\(name) is \(address.text), from \(address.origin)"))
        }
        return notes
    }

    private func address(_ variable: String) -> Address? {
        if let text = value(variable, in: environment) {
            return Address(text: text, origin: "the environment's \(variable)")
        }
        if let text = value(variable, in: machine.environmentFile) {
            return Address(text: text, origin: "\(variable) in /etc/environment")
        }
        return interfaceAddress
    }

    /// This machine's own address, for examples too.
    var interfaceAddress: Address? {
        if !interface.isEmpty {
            return machine.address(interface).map {
                Address(text: $0, origin: "--interface \(interface)")
            }
        }
        guard let name = machine.defaultInterface(), let text = machine.address(name) else {
            return nil
        }
        return Address(text: text, origin: "\(name), which the default route leaves by")
    }

    /// An address to be shown in a corrected line; of many, the one that is likeliest meant.
    func example(for variable: String) -> String { address(variable)?.text ?? "THIS-HOST" }

    func isEmpty(_ variable: String) -> Bool {
        value(variable, in: environment) == nil
            && value(variable, in: machine.environmentFile) == nil
    }

    private func value(_ variable: String, in values: [String: String]) -> String? {
        guard let value = values[variable], !value.isEmpty else { return nil }
        return value
    }

    private func advice(_ variable: String) -> String {
        let why =
            interface.isEmpty
            ? "no interface with an IPv4 address has the default route"
            : "the interface \(interface) has no IPv4 address"
        return
            "\(variable) is set neither in the environment nor in /etc/environment, and \(why). Write "
            + "\(variable)=ADDRESS in /etc/environment, with this machine's address, or name its "
            + "interface: --interface eth0."
    }
}

extension FlagDefinition {
    /// Whether names of this machine's addresses are replaced in it.
    var mayNameAddresses: Bool {
        switch kind {
        case .urls, .oldAddress: true
        case .text: ["initial-cluster", "discovery", "discovery-proxy"].contains(name)
        default: false
        }
    }
}
