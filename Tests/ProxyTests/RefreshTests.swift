import Cluster
import NIOCore
import Synchronization
import Testing

@testable import Proxy

/// How a proxy learns of members that come and go.
@Suite(.timeLimit(.minutes(3))) struct RefreshTests {
    private let nobody = EndpointURL(scheme: .http, host: "127.0.0.1", port: 1)

    /// The client URLs that a cluster tells, which may change.
    private final class Told: Sendable {
        private let urls: Mutex<[EndpointURL]>

        init(_ urls: EndpointURL...) { self.urls = Mutex(urls) }

        func set(_ new: EndpointURL...) { urls.withLock { $0 = new } }

        func peer() async throws -> FakeMember {
            try await FakeMember.start { [self] _ in
                .text(FakeMember.listing(of: urls.withLock { $0 }))
            }
        }
    }

    private func shown(_ proxy: TestProxy) async throws -> String {
        let answer = try await proxy.get("/v2/config/local/proxy")
        return String(answer[(answer.firstRange(of: "{")?.lowerBound ?? answer.endIndex)...])
    }

    private func eventually(
        _ what: String, _ condition: () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while try await !condition() {
            guard ContinuousClock.now < deadline else { throw TooLate(description: what) }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// The peer URLs in the list lead nowhere, so that all but the first answer also shows that the
    /// seed is asked beside what was learnt.
    @Test func theTimerFindsWhoComesAndForgetsWhoGoes() async throws {
        let (a, b) = (try await FakeMember.answering("a"), try await FakeMember.answering("b"))
        let told = Told(a.url)
        let seed = try await told.peer()
        let proxy = try await TestProxy.start([a.url]) {
            $0.seeds = [seed.url]
            $0.refreshInterval = .milliseconds(100)
        }
        #expect(try await proxy.get("/").hasSuffix("a"))
        told.set(a.url, b.url)
        try await eventually("b is known") { try await shown(proxy).contains(b.url.description) }
        told.set(b.url)
        try await eventually("a is forgotten") {
            try await shown(proxy) == "{\"endpoints\":[\"\(b.url)\"]}\n"
        }
        #expect(try await proxy.get("/").hasSuffix("b"))
        try await eventually("the connection to a is not kept") { a.openCount == 0 }
        try await proxy.stop()
        await seed.stop()
    }

    @Test func aFailureMakesItAsk() async throws {
        let member = try await FakeMember.answering("here")
        let told = Told(nobody)
        let seed = try await told.peer()
        let proxy = try await TestProxy.start([nobody]) {
            $0.seeds = [seed.url]
            $0.refreshInterval = .seconds(3600)
        }
        told.set(member.url)
        #expect(try await proxy.get("/").hasPrefix("HTTP/1.1 503 "))
        try await eventually("the new one") { try await proxy.get("/").hasSuffix("here") }
        try await proxy.stop()
        await seed.stop()
    }

    @Test func aClusterThatTellsNobodyChangesNothing() async throws {
        let member = try await FakeMember.answering("here")
        let told = Told(member.url)
        let seed = try await told.peer()
        let proxy = try await TestProxy.start([member.url]) {
            $0.seeds = [seed.url]
            $0.refreshInterval = .milliseconds(100)
        }
        told.set()
        let before = seed.requests.count
        try await eventually("asked again") { seed.requests.count > before + 1 }
        #expect(try await proxy.get("/").hasSuffix("here"))
        try await proxy.stop()
        await seed.stop()
    }
}
