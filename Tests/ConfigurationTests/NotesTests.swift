import Testing

@testable import Configuration

/// The first log lines, as `reference/cli.md` §4 has them.
@Suite struct NotesTests {
    private func configuration(_ arguments: [String]) throws -> ServerConfiguration {
        let result = Configuration.read(
            arguments: arguments, environment: ["ETCD_DEBUG": "1"], machine: Machine())
        guard case .run(let configuration) = result else { throw Refused(result: "\(result)") }
        return configuration
    }

    private struct Refused: Error { let result: String }

    @Test func startBeginsWithTheEnvironmentAndEndsWithTheDataDirectory() throws {
        let lines = try configuration(["-name", "m1"]).startNotes.map(\.description)
        #expect(lines.first == "I | flags: recognized and used environment variable ETCD_DEBUG=1")
        #expect(lines[1] == "I | etcdmain: etcd Version: 2.3.8")
        #expect(
            lines.last
                == "W | etcdmain: no data-dir provided, using default data-dir ./m1.etcd")
        let given = try configuration(["-data-dir", "/d"]).startNotes
        #expect(!given.contains { $0.text.contains("no data-dir provided") })
    }

    @Test func memberOfAFirstStart() throws {
        let arguments = [
            "-name", "m1", "-data-dir", "/d", "-heartbeat-interval", "77", "-election-timeout",
            "1500", "-snapshot-count", "60",
        ]
        let lines = try configuration(arguments).memberNotes(isFirstStart: true)
        #expect(
            lines.map(\.description) == [
                "I | etcdserver: name = m1",
                "I | etcdserver: data dir = /d",
                "I | etcdserver: member dir = /d/member",
                "I | etcdserver: heartbeat = 77ms",
                "I | etcdserver: election = 1463ms",
                "I | etcdserver: snapshot count = 60",
                "I | etcdserver: advertise client URLs = "
                    + "http://localhost:2379,http://localhost:4001",
                "I | etcdserver: initial advertise peer URLs = "
                    + "http://localhost:2380,http://localhost:7001",
                "I | etcdserver: initial cluster = "
                    + "m1=http://localhost:2380,m1=http://localhost:7001",
            ])
    }

    @Test func memberOfALaterStart() throws {
        let lines = try configuration(["-data-dir", "/d"]).memberNotes(isFirstStart: false)
        #expect(lines.last?.text.hasPrefix("advertise client URLs = ") == true)
    }

    @Test func theDefaultRouteIsTheOneWithTheLowestMetric() {
        let text = """
            Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
            wlan0\t00000000\t0100A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
            eth1\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0
            eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0
            eth9\t00000000\t0100000A\t0002\t0\t0\t1\t00000000\t0\t0\t0
            tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0
            """
        // eth9 is down, and tun0's covers half of all addresses only.
        #expect(Machine.defaultInterface(routes: text) == "eth0")
        #expect(Machine.defaultInterface(routes: "Iface\tDestination") == nil)
    }

    @Test func thisMachineHasAnAddressForItself() {
        let machine = Machine.system { _, _ in false }
        #expect(machine.address("lo") == "127.0.0.1")
        #expect(machine.address("no-such-interface") == nil)
    }

    @Test func everyUnbuiltFeatureIsRefusedByName() throws {
        let faults = try configuration(["-experimental-v3demo"]).faultsOfUnbuiltFeatures
        #expect(
            faults.map(\.text) == [
                "-experimental-v3demo is set to what kvd 0.1.0 does not have yet"
            ])
        #expect(faults.allSatisfy { $0.exitCode == 1 && $0.advice != nil })
        #expect(try configuration([]).faultsOfUnbuiltFeatures.isEmpty)
    }
}
