import GoldenSupport
import ProcessSupport

/// One of the two servers: a single member, and the connection that requests go over.
final class ServerUnderTest {
    let cluster: KvdCluster
    let port: Int
    private var connection: RawClient?

    /// Starts it and waits until it takes writes.
    init(_ cluster: KvdCluster) throws {
        self.cluster = cluster
        port = cluster.clientPorts[0]
        try cluster.start(0)
        try cluster.waitReady()
        let port = port
        try waitUntil("a cluster version") {
            try RawClient(port: port).request("GET", "/version").text.contains("not_decided")
                == false
        }
    }

    func connect() throws -> RawClient { try RawClient(port: port) }

    func send(_ bytes: [UInt8]) throws {
        let open = try connection ?? connect()
        connection = open
        try open.send(bytes)
    }

    /// The answer to what was sent last.
    func answer(to method: String) throws -> RawClient.Response {
        guard let open = connection else { throw RawClient.Failure(description: "not connected") }
        do {
            let response = try open.response(isHead: method == "HEAD")
            if response["Connection"] == "close" { connection = nil }
            return response
        } catch {
            connection = nil
            throw error
        }
    }

    func request(_ request: TestRequest) throws -> RawClient.Response {
        try send(request.bytes)
        return try answer(to: request.method)
    }

    func disconnect() { connection = nil }

    /// The store's index.
    func index() throws -> Int {
        try Self.index(request(TestRequest(target: "/v2/keys/")))
    }

    /// Writes a hidden key until the store's index is `index`.
    func pad(to index: Int) throws {
        var reached = try self.index()
        while reached < index {
            reached = try Self.index(request(TestRequest(method: "PUT", target: "/v2/keys/_pad")))
        }
    }

    private static func index(_ answer: RawClient.Response) throws -> Int {
        guard let index = answer["X-Etcd-Index"].flatMap({ Int($0) }) else {
            throw RawClient.Failure(description: "no index in \(answer)")
        }
        return index
    }

    /// Each is a member of its own cluster: what names it in answers, and what to read instead.
    func ownNames() throws -> [(own: String, common: String)] {
        let text = try request(TestRequest(target: "/v2/members/leader")).text
        let id = GoldenJSON(text)?["id"]?.text ?? ""
        return [
            ("127.0.0.1:\(port)", "CLIENT"), ("127.0.0.1:\(cluster.peerPorts[0])", "PEER"),
            (id, "MEMBER"),
        ]
    }
}
