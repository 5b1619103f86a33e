import Testing

@testable import Configuration

@Suite struct FlagTableTests {
    /// `read` traps when the table and the arguments' properties disagree.
    @Test func tableAndArgumentsAgree() {
        let arguments = ServerArguments.read(canonical: FlagValues().canonicalArguments)
        #expect(arguments.name == "default")
        let settings = Mirror(reflecting: arguments).children.count
        #expect(settings == FlagTable.all.filter(\.isSetting).count)
    }

    @Test func defaultsPassTheirOwnChecks() throws {
        for flag in FlagTable.all where flag.isSetting {
            #expect(try flag.canonical(flag.defaultValue) == flag.defaultValue, "\(flag.name)")
        }
    }

    /// Every flag of etcd 2.3.8's table, from `reference/cli.md` §2.
    @Test func everyFlagOfEtcdIsThere() {
        let names = """
            name data-dir wal-dir snapshot-count heartbeat-interval election-timeout
            listen-peer-urls listen-client-urls max-snapshots max-wals cors
            initial-advertise-peer-urls initial-cluster initial-cluster-state
            initial-cluster-token advertise-client-urls discovery discovery-fallback
            discovery-proxy discovery-srv strict-reconfig-check proxy proxy-failure-wait
            proxy-refresh-interval proxy-dial-timeout proxy-write-timeout proxy-read-timeout
            cert-file key-file client-cert-auth trusted-ca-file ca-file peer-cert-file
            peer-key-file peer-client-cert-auth peer-trusted-ca-file peer-ca-file debug
            log-package-levels force-new-cluster version enable-pprof experimental-v3demo
            experimental-gRPC-addr experimental-auto-compaction-retention addr bind-addr
            peer-addr peer-bind-addr peers peers-file cluster-active-size cluster-remove-delay
            cluster-sync-interval config force max-result-buffer max-retry-attempts
            peer-heartbeat-interval peer-election-timeout retry-interval snapshot v vv
            """
        for name in names.split(whereSeparator: \.isWhitespace).map(String.init) {
            #expect(FlagTable.flag(name) != nil, "\(name)")
        }
    }

    @Test func helpNamesEveryFlagAndStaysInItsColumns() {
        let help = UsageText.help
        for flag in FlagTable.all {
            #expect(help.contains(" --\(flag.name)"), "\(flag.name)")
        }
        for line in help.split(separator: "\n") { #expect(line.count <= 100, "\(line)") }
    }

    @Test func versionBeginsWithEtcdsFourLines() {
        let lines = ProductVersion.report.split(separator: "\n")
        #expect(lines[0] == "etcd Version: 2.3.8")
        #expect(lines[1].hasPrefix("Git SHA: "))
        #expect(lines[2].hasPrefix("Go Version: "))
        #expect(lines[3].hasPrefix("Go OS/Arch: linux/"))
        #expect(lines[4].hasPrefix("kvd Version: "))
    }

    @Test(arguments: [
        ("nmae", "name"), ("initial-clutser", "initial-cluster"), ("datadir", "data-dir"),
        ("election-timout", "election-timeout"), ("listen-client-url", "listen-client-urls"),
    ])
    func nearestName(_ typed: String, _ meant: String) {
        #expect(NearestName.to(typed) == meant)
    }

    @Test func nothingIsNearToNonsense() {
        #expect(NearestName.to("xyzzy-plugh") == nil)
        #expect(NearestName.to("") == nil)
    }

    @Test(arguments: [
        ("0", 0), ("10", 10), ("0x1F", 31), ("017", 15), ("0b101", 5), ("0o17", 15),
        ("18446744073709551615", UInt64.max),
    ])
    func numbersAsGoReadsThem(_ text: String, _ number: UInt64) throws {
        #expect(try GoValues.unsigned(text) == number)
    }

    @Test(arguments: [
        ("", "parse error"), ("-1", "parse error"), ("+1", "parse error"), ("1s", "parse error"),
        ("0x", "parse error"), ("08", "parse error"), ("٣", "parse error"),
        ("18446744073709551616", "value out of range"),
    ])
    func badNumbers(_ text: String, _ reason: String) {
        #expect(throws: ValueError(reason)) { try GoValues.unsigned(text) }
    }

    @Test func everyFaultHasItsExitCodeAndPlace() {
        let line = ConfigurationFault(.commandLine, "text", advice: "Do this.")
        #expect(line.exitCode == 2 && line.notes.isEmpty)
        for stage in [ConfigurationFault.Stage.environment, .check, .start] {
            let fault = ConfigurationFault(stage, "text", second: "more", advice: "Do this.")
            #expect(fault.exitCode == 1 && fault.notes.count == 3)
            #expect(fault.description == "text. Do this.")
        }
    }
}
