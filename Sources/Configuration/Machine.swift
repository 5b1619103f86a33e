internal import Cluster

/// What reading flags has to know of the machine beside the environment: its addresses, and whether
/// a member lives in a data dir. Functions are asked only when it matters.
package struct Machine: Sendable {
    /// What `/etc/environment` sets.
    package var environmentFile: [String: String]
    /// The interface that the default route leaves by; nil: there is no such route.
    package var defaultInterface: @Sendable () -> String?
    /// An interface's first IPv4 address.
    package var address: @Sendable (_ interface: String) -> String?
    /// Whether a log lies there: then the flags about the first members say nothing.
    package var holdsMember: @Sendable (_ dataDirectory: String, _ walDirectory: String?) -> Bool
    /// A host's first address.
    package var resolve: @Sendable (_ host: String) -> String?

    package init(
        environmentFile: [String: String] = [:],
        defaultInterface: @escaping @Sendable () -> String? = { nil },
        address: @escaping @Sendable (_ interface: String) -> String? = { _ in nil },
        holdsMember:
            @escaping @Sendable (_ dataDirectory: String, _ walDirectory: String?) -> Bool =
            { _, _ in false },
        resolve: @escaping @Sendable (_ host: String) -> String? = { _ in nil }
    ) {
        self.environmentFile = environmentFile
        self.defaultInterface = defaultInterface
        self.address = address
        self.holdsMember = holdsMember
        self.resolve = resolve
    }

    /// The lines of `/etc/environment` that set something: `NAME=value`, the value in quotes or not,
    /// `export` before it or not.
    package static func parse(environmentFile text: String) -> [String: String] {
        var values: [String: String] = [:]
        for line in text.split(whereSeparator: \.isNewline) {
            var line = String(line).trimmingSpaces()
            if line.hasPrefix("export ") { line = String(line.dropFirst(7)).trimmingSpaces() }
            guard !line.hasPrefix("#"), let equals = line.firstIndex(of: "=") else { continue }
            var value = line[line.index(after: equals)...]
            for quote in ["\"", "'"]
            where value.count > 1 && value.hasPrefix(quote) && value.hasSuffix(quote) {
                value = value.dropFirst().dropLast()
            }
            values[String(line[..<equals])] = String(value)
        }
        return values
    }
}
