import Cluster
import Testing

@testable import Discovery

/// What is said about addresses before anything is registered.
@Suite struct OwnAddressesTests {
    private func warnings(
        _ discovery: String, advertise: String, listen: String = "http://10.0.0.1:2379"
    ) throws -> [String] {
        let own = OwnAddresses([
            ("advertise-client-urls", [try EndpointURL(advertise)]),
            ("listen-client-urls", [try EndpointURL(listen)]),
        ])
        let hosts = ["localhost": "127.0.0.1", "machine1": "10.0.0.1"]
        return own.warnings(about: try ServiceURL(discovery)) { hosts[$0] ?? $0 }.map(\.text)
    }

    @Test(arguments: [
        ("http://10.0.0.1:2379/x", "http://10.0.0.1:2379", "http://10.0.0.1:2379"),
        ("http://machine1:2379/x", "http://10.0.0.1:2379", "http://10.0.0.1:2379"),
        ("http://10.0.0.1:2379/x", "http://machine1:2379", "http://0.0.0.0:2379"),
        ("http://localhost:4001/x", "http://10.0.0.1:2379", "http://0.0.0.0:4001"),
        ("http://10.0.0.1/x", "http://10.0.0.1:80", "http://10.0.0.1:80"),
    ])
    func aURLThatLeadsBack(_ discovery: String, _ advertise: String, _ listen: String) throws {
        let texts = try warnings(discovery, advertise: advertise, listen: listen)
        #expect(texts.count == 1)
        #expect(texts.first?.contains("leads to this member itself") == true)
    }

    @Test(arguments: [
        ("http://10.0.0.9:2379/x", "http://10.0.0.1:2379"),
        ("http://10.0.0.1:4001/x", "http://10.0.0.1:2379"),
        ("http://localhost:8087/x", "http://127.0.0.1:2379"),
    ])
    func nothingToSay(_ discovery: String, _ advertise: String) throws {
        #expect(try warnings(discovery, advertise: advertise) == [])
    }

    @Test(arguments: ["http://localhost:2379", "http://127.0.0.1:2379", "http://0.0.0.0:2379"])
    func anAddressThatOthersCannotUse(_ advertise: String) throws {
        let texts = try warnings("http://10.0.0.9:8087/x", advertise: advertise)
        #expect(texts.first?.hasPrefix("--advertise-client-urls \(advertise) leads every") == true)
    }
}
