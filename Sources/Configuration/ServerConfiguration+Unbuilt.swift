extension ServerConfiguration {
    /// Settings that this version of kvd reads but cannot carry out yet, and when each is in use.
    /// A line goes when its feature comes.
    private static let unbuilt: [(flag: String, isUsed: @Sendable (ServerConfiguration) -> Bool)] =
        [
            ("experimental-v3demo", { $0.enablesV3Preview })
        ]

    /// Flags that have no effect yet but a refusal, whatever their value.
    static let unbuiltFlags = Set(unbuilt.map(\.flag))

    /// Faults for such settings. To start as if they had not been given could be dangerous (a
    /// member outside its cluster), so the server must not start while there is one.
    package var faultsOfUnbuiltFeatures: [ConfigurationFault] {
        Self.unbuilt.filter { $0.isUsed(self) }.map { flag, _ in
            ConfigurationFault(
                .check, "-\(flag) is set to what kvd \(ProductVersion.own) does not have yet",
                advice: "Remove -\(flag), or run a version of kvd that has it.")
        }
    }
}
