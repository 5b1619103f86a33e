import Testing

@testable import Cluster

@Suite struct EndpointURLTests {
    @Test(arguments: [
        ("http://127.0.0.1:2379", "http://127.0.0.1:2379", "127.0.0.1", 2379),
        ("  https://a.b-c:1\t", "https://a.b-c:1", "a.b-c", 1),
        ("HTTP://Host:80", "http://Host:80", "Host", 80),
        ("http://[::1]:2380", "http://[::1]:2380", "::1", 2380),
        ("http://[fe80::1%25eth0]:2380", "http://[fe80::1%25eth0]:2380", "fe80::1%25eth0", 2380),
        ("http://:2379", "http://:2379", "", 2379),
        ("http://h:", "http://h:", "h", 80), ("https://h:", "https://h:", "h", 443),
        ("http://h:0", "http://h:0", "h", 0), ("http://h:65535", "http://h:65535", "h", 65535),
        ("http://u:p@h:1", "http://u:p@h:1", "h", 1),
        ("http://h:1?q=a/b", "http://h:1?q=a/b", "h", 1),
        ("http://h:1#f", "http://h:1#f", "h", 1),
    ])
    func accepted(_ text: String, _ printed: String, _ host: String, _ port: UInt16) throws {
        let url = try EndpointURL(text)
        #expect(url.description == printed)
        #expect(url.host == host)
        #expect(url.port == port)
        #expect(try EndpointURL(url.description) == url)
    }

    static let schemeText = "URL scheme must be http or https: "
    static let formText = "URL address does not have the form \"host:port\": "
    static let pathText = "URL must not contain a path: "
    static let refusals: [(String, String)] = [
        ("", schemeText), ("   ", schemeText), ("/", schemeText + "/"), ("a", schemeText + "a"),
        ("*", schemeText + "*"), ("//h:1", schemeText + "//h:1"),
        ("ftp://h:1", schemeText + "ftp://h:1"), ("localhost:2379", schemeText + "localhost:2379"),
        ("unix://x:1", schemeText + "unix://x:1"),
        ("127.0.0.1:1", "parse \"127.0.0.1:1\": first path segment in URL cannot contain colon"),
        (":1", "parse \":1\": missing protocol scheme"),
        ("http", schemeText + "http"), ("http:", formText + "http:"),
        ("http:h:1", formText + "http:h:1"), ("http:/h:1", formText + "http:/h:1"),
        ("http://", formText + "http://"), ("http://h", formText + "http://h"),
        ("http://h/p", formText + "http://h/p"), ("http://[::1]", formText + "http://[::1]"),
        ("http://::1:2379", formText + "http://::1:2379"),
        ("http://1:2:3", formText + "http://1:2:3"),
        ("http://h:1/", pathText + "http://h:1/"), ("http://h:1/a", pathText + "http://h:1/a"),
        ("http://h:1//", pathText + "http://h:1//"),
        ("http://h:x", "parse \"http://h:x\": invalid port \":x\" after host"),
        ("http://h:-1", "parse \"http://h:-1\": invalid port \":-1\" after host"),
        ("http://[::1:2379", "parse \"http://[::1:2379\": missing ']' in host"),
        ("http://[::1]x:1", "parse \"http://[::1]x:1\": invalid port \"x:1\" after host"),
        ("http://a b:1", "parse \"http://a b:1\": invalid character \" \" in host name"),
        ("http://a%20b:1", "parse \"http://a%20b:1\": invalid URL escape \"%20\""),
        ("http://a%:1", "parse \"http://a%:1\": invalid URL escape \"%:1\""),
        (
            "http://a\u{1}:1",
            "parse \"http://a\\x01:1\": net/url: invalid control character in URL"
        ),
        ("http://h:70000", "URL port must be a number from 0 to 65535: http://h:70000"),
    ]

    @Test(arguments: refusals)
    func refused(_ text: String, _ reason: String) {
        let error = #expect(throws: EndpointURLError.self) { try EndpointURL(text) }
        #expect(error?.description == reason)
        #expect(error?.advice.isEmpty == false)
    }

    @Test func listsAreSortedBytewise() throws {
        let urls = try EndpointURL.list("http://b:1, http://a:10 ,http://a:2,https://a:1")
        #expect(
            urls.map(\.description) == ["http://a:10", "http://a:2", "http://b:1", "https://a:1"])
        #expect(throws: EndpointURLError(code: .noURLs, url: "")) { try EndpointURL.list([]) }
        #expect(throws: EndpointURLError.self) { try EndpointURL.list(["http://a:1", "x"]) }
    }

    @Test func hostAndPort() throws {
        #expect(try EndpointURL("http://[::1]:1").hostAndPort == "[::1]:1")
        #expect(try EndpointURL("http://h:1").hostAndPort == "h:1")
        #expect(EndpointURL(scheme: .http, host: "::", port: 1).description == "http://[::]:1")
        #expect(EndpointURL(scheme: .http, host: "::", port: 1).isUnspecifiedHost)
        #expect(try EndpointURL("http://0.0.0.0:1").isUnspecifiedHost)
        #expect(try !EndpointURL("http://10.0.0.0:1").isUnspecifiedHost)
    }

    /// No text traps, and what is accepted prints to something that is accepted again.
    @Test func anyTextAtAll() {
        var random = SeededRandom(seed: 1)
        let alphabet = Array("http://[]:@%#?a1. \u{0}ü-_")
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...24, using: &random)
            let start = Bool.random(using: &random) ? "http://" : ""
            let rest = (0..<count).map { _ in
                alphabet[Int.random(in: alphabet.indices, using: &random)]
            }
            guard let url = try? EndpointURL(start + String(rest)) else { continue }
            let again = try? EndpointURL(url.description)
            #expect(again == url, "\(start + String(rest))")
        }
    }

    @Test func sameHostsUnderOtherNames() throws {
        let resolve: (String) -> String? = { $0 == "localhost" ? "127.0.0.1" : nil }
        func equal(_ a: String, _ b: String) throws -> Bool {
            try HostResolver.areEqual(
                EndpointURL.list(a), EndpointURL.list(b), resolve: resolve)
        }
        #expect(try equal("http://localhost:1", "http://127.0.0.1:1"))
        #expect(try equal("http://a:1,http://b:1", "http://b:1,http://a:1"))
        #expect(try !equal("http://localhost:1", "http://127.0.0.1:2"))
        #expect(try !equal("http://localhost:1", "https://127.0.0.1:1"))
        #expect(try !equal("http://unknown:1", "http://127.0.0.1:1"))
        #expect(try !equal("http://a:1", "http://a:1,http://b:1"))
    }

    @Test func systemResolverKnowsLocalhost() {
        #expect(HostResolver.system("127.0.0.1") == "127.0.0.1")
        #expect(HostResolver.system("localhost") == "127.0.0.1")
        #expect(HostResolver.system("") == nil)
    }
}
