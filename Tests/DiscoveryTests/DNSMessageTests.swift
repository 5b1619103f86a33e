import NIOCore
import Testing

@testable import Discovery

/// The codec of DNS messages, against bytes put together by hand and against hostile ones.
@Suite struct DNSMessageTests {
    // Proven by every test that uses it: a valid name.
    private static let name = DNSName("_etcd-server._tcp.example.com")!

    @Test func aQuestionIsWrittenAsRFC1035Says() throws {
        let bytes = DNSQuestion(.srv, try #require(DNSName("_a._tcp.b.")))
            .encoded(id: 0xABCD)
        #expect(
            bytes == [0xAB, 0xCD, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
                + [2, 0x5F, 0x61, 4, 0x5F, 0x74, 0x63, 0x70, 1, 0x62, 0] + [0, 33, 0, 1])
    }

    @Test func servicesAreRead() throws {
        var message = DNSBytes(id: 7, question: DNSQuestion(.srv, Self.name))
        message.addService(priority: 1, weight: 2, port: 2380, target: "infra0.example.com")
        message.addService(priority: 3, weight: 4, port: 2381, target: "infra1.example.com")
        let read = try #require(DNSMessage(parsing: message.bytes))
        #expect(read.id == 7 && read.isAnswer && !read.isTruncated && read.responseCode == 0)
        #expect(
            read.records == [
                .service(
                    priority: 1, weight: 2, port: 2380,
                    target: try #require(DNSName("infra0.example.com"))),
                .service(
                    priority: 3, weight: 4, port: 2381,
                    target: try #require(DNSName("INFRA1.example.com"))),
            ])
    }

    @Test func aliasesAreFollowedAndEndInCirclesNowhere() throws {
        let question = DNSQuestion(.a, try #require(DNSName("www.example.com")))
        var message = DNSBytes(id: 7, question: question)
        message.addAlias(of: "www.example.com", to: "host.example.com")
        message.addAddress(of: "host.example.com", [10, 0, 0, 1])
        message.addAddress(of: "other.example.com", [10, 0, 0, 2])
        #expect(
            try #require(DNSMessage(parsing: message.bytes)).records == [.address([10, 0, 0, 1])])

        var circle = DNSBytes(id: 7, question: question)
        circle.addAlias(of: "www.example.com", to: "host.example.com")
        circle.addAlias(of: "host.example.com", to: "www.example.com")
        #expect(try #require(DNSMessage(parsing: circle.bytes)).records == [])
    }

    @Test func whatWasNotAskedForIsNotTaken() throws {
        let exchange = DNSExchange(DNSQuestion(.srv, Self.name), id: 7)
        let good = DNSBytes(id: 7, question: exchange.question).bytes
        #expect(exchange.accept(good) != nil)
        #expect(exchange.accept(exchange.request) == nil, "a question is no answer")
        var otherID = good
        otherID[1] ^= 1
        #expect(exchange.accept(otherID) == nil)
        let otherName = DNSQuestion(.srv, try #require(DNSName("_etcd-server._tcp.example.org")))
        #expect(exchange.accept(DNSBytes(id: 7, question: otherName).bytes) == nil)
        #expect(exchange.accept(DNSBytes(id: 7, question: DNSQuestion(.a, Self.name)).bytes) == nil)
        var twoQuestions = good
        twoQuestions[5] = 2
        #expect(exchange.accept(twoQuestions) == nil)
    }

    @Test func pointersLeadBackOrNowhere() {
        let head: [UInt8] = [0, 7, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        let tail: [UInt8] = [0, 33, 0, 1]
        // To itself, forward, before itself into a pointer to here, into the head.
        for name: [UInt8] in [[0xC0, 12], [0xC0, 14, 0], [1, 0x61, 0xC0, 12], [0xC0, 0xFF]] {
            #expect(DNSMessage(parsing: head + name + tail) == nil)
        }
        // Reserved kinds of labels.
        for first: UInt8 in [0x40, 0x80, 0xBF] {
            #expect(DNSMessage(parsing: head + [first, 0x61, 0] + tail) == nil)
        }
    }

    @Test func namesThatNoHostHasAreRefused() {
        let long = String(repeating: "a", count: 64)
        for text in ["a..b", ".", "", "a b", "a/b", "a\u{0}b", "ä.example", long, "a.\(long)"] {
            #expect(DNSName(text) == nil, "\(text)")
        }
        let label = String(repeating: "a", count: 63)
        let longest = [label, label, label, String(repeating: "a", count: 61)]
        #expect(DNSName(longest.joined(separator: ".")) != nil)
        #expect(DNSName((longest + ["a"]).joined(separator: ".")) == nil)
        // A dot inside a label of the wire would make two of it.
        let head: [UInt8] = [0, 7, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        #expect(DNSMessage(parsing: head + [3, 0x61, 0x2E, 0x62, 0, 0, 33, 0, 1]) == nil)
    }

    @Test func aTruncatedAnswerMayEndAnywhere() throws {
        var message = DNSBytes(id: 7, question: DNSQuestion(.srv, Self.name))
        message.addService(priority: 1, weight: 2, port: 2380, target: "infra0.example.com")
        var bytes = message.bytes.dropLast(5)
        #expect(DNSMessage(parsing: Array(bytes)) == nil)
        bytes[2] |= 2
        let read = try #require(DNSMessage(parsing: Array(bytes)))
        #expect(read.isTruncated && read.records.isEmpty)
    }

    /// Nothing of what a stranger may send traps, and every cut of a good message is refused.
    @Test func hostileBytesAreSurvived() throws {
        var message = DNSBytes(id: 7, question: DNSQuestion(.srv, Self.name))
        message.addService(priority: 1, weight: 2, port: 2380, target: "infra0.example.com")
        message.addAlias(of: "infra0.example.com", to: "a.example.com")
        message.addAddress(of: "a.example.com", [UInt8](repeating: 1, count: 16))
        let good = message.bytes
        for end in good.indices { #expect(DNSMessage(parsing: Array(good[..<end])) == nil) }
        var random = SystemRandomNumberGenerator()
        var accepted = 0
        for _ in 0..<20_000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: bytes.indices, using: &random)
                bytes[place] = UInt8.random(in: .min ... .max, using: &random)
            }
            if let read = DNSMessage(parsing: bytes) {
                accepted += 1
                for case .service(_, _, _, let target) in read.records {
                    #expect(DNSName(labels: target.labels) != nil)
                }
            }
        }
        #expect(accepted > 0, "most of a message may be other bytes")
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...64, using: &random)
            let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            _ = DNSMessage(parsing: bytes)
        }
    }

    @Test func resolvConfIsRead() throws {
        let text = """
            # nameserver 9.9.9.9
            search example.com
            nameserver 10.0.0.53
            nameserver   fd00::53
            nameserver not-an-address
            options ndots:2 timeout:2 attempts:3 rotate
            """
        let settings = ResolverSettings(resolvConf: text)
        #expect(settings.servers.map(\.ipAddress) == ["10.0.0.53", "fd00::53"])
        #expect(settings.servers.allSatisfy { $0.port == 53 })
        #expect(settings.timeout == .seconds(2) && settings.attempts == 3)
        #expect(ResolverSettings(resolvConf: "").servers.map(\.ipAddress) == ["127.0.0.1"])
        let many = (1...9).map { "nameserver 10.0.0.\($0)" }.joined(separator: "\n")
        #expect(ResolverSettings(resolvConf: many).servers.count == 3)
    }

    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1", 53), ("127.0.0.1:5353", "127.0.0.1", 5353),
        ("[::1]:5353", "::1", 5353), ("[::1]", "::1", 53), ("ns.test:54", "10.0.0.9", 54),
    ])
    func serversFromAFlag(_ text: String, _ address: String, _ port: Int) throws {
        let settings = try #require(
            ResolverSettings(server: text) { $0 == "ns.test" ? "10.0.0.9" : $0 })
        #expect(settings.servers.first?.ipAddress == address)
        #expect(settings.servers.first?.port == port)
    }

    @Test(arguments: ["nowhere.test", "127.0.0.1:x", "127.0.0.1:99999", ":53", "127.0.0.1:0"])
    func noServersFromAFlag(_ text: String) {
        #expect(
            ResolverSettings(server: text) { $0.hasPrefix("127") ? $0 : nil } == nil)
    }
}

/// Puts answers together, names uncompressed but for the question's in front of each service.
struct DNSBytes {
    private var records: [UInt8] = []
    private var count: UInt16 = 0
    private let id: UInt16
    private let question: DNSQuestion
    var flags: UInt16 = 0x8180

    init(id: UInt16, question: DNSQuestion) { (self.id, self.question) = (id, question) }

    var bytes: [UInt8] {
        var bytes = question.encoded(id: id)
        bytes[2] = UInt8(flags >> 8)
        bytes[3] = UInt8(flags & 0xFF)
        bytes[6] = UInt8(count >> 8)
        bytes[7] = UInt8(count & 0xFF)
        return bytes + records
    }

    mutating func addService(priority: UInt16, weight: UInt16, port: UInt16, target: String) {
        var data: [UInt8] = []
        for word in [priority, weight, port] { data.append(bigEndian: word) }
        add(name: [0xC0, 12], .srv, data + Self.name(target))
    }

    mutating func addAlias(of name: String, to target: String) {
        add(name: Self.name(name), .cname, Self.name(target))
    }

    mutating func addAddress(of name: String, _ address: [UInt8]) {
        add(name: Self.name(name), address.count == 4 ? .a : .aaaa, address)
    }

    private mutating func add(name: [UInt8], _ kind: DNSMessage.Kind, _ data: [UInt8]) {
        records += name
        for word in [kind.rawValue, 1, 0, 60, UInt16(data.count)] {
            records.append(bigEndian: word)
        }
        records += data
        count += 1
    }

    private static func name(_ text: String) -> [UInt8] {
        text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }
}
