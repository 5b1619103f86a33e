import Cluster
import Testing

@testable import Proxy

/// The order in which endpoints are tried, as a table: each step and whom a request may try after it.
@Suite struct DirectorTests {
    private enum Step {
        case list([String])
        case failed(String)
        case worked(String)
        /// Milliseconds go by.
        case pass(Int64)
    }

    private static let failureWait: Int64 = 5_000_000_000

    private func url(_ name: String) -> EndpointURL {
        EndpointURL(scheme: .http, host: name, port: 2379)
    }

    private func check(
        _ steps: [(Step, String)], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var director = Director(failureWait: Self.failureWait)
        var now: Int64 = 1_000_000_000
        for (number, (step, expected)) in steps.enumerated() {
            switch step {
            case .list(let names): _ = director.update(names.map(url))
            case .failed(let name): director.failed(url(name), "refused", now: now)
            case .worked(let name): director.worked(url(name))
            case .pass(let milliseconds): now += milliseconds * 1_000_000
            }
            let found = director.candidates(now: now).map(\.host).joined(separator: " ")
            #expect(found == expected, "after step \(number)", sourceLocation: sourceLocation)
        }
    }

    @Test func nobodyIsKnownAtFirst() { check([(.pass(1), "")]) }

    @Test func theFirstIsUsedUntilItFails() {
        check([
            (.list(["a", "b", "c"]), "a b c"), (.pass(60_000), "a b c"),
            (.failed("a"), "b c"), (.pass(4_999), "b c"),
            // Behind the one that is in use now.
            (.pass(1), "b c a"), (.worked("a"), "b c a"), (.failed("b"), "c a"),
        ])
    }

    @Test func whenAllRestEachIsTriedAgainSoon() {
        check([
            (.list(["a", "b"]), "a b"), (.failed("a"), "b"), (.pass(100), "b"),
            (.failed("b"), ""), (.pass(149), ""), (.pass(1), "a"), (.pass(100), "a b"),
            (.failed("a"), "b"), (.worked("b"), "b"), (.pass(5000), "b a"),
        ])
    }

    @Test func aNewListKeepsPlacesAndRests() {
        check([
            (.list(["a", "b", "c"]), "a b c"), (.failed("b"), "a c"),
            (.list(["d", "b", "c", "a"]), "a c d"), (.list(["c", "d"]), "c d"),
            // Its failure was of another time.
            (.list(["b", "c"]), "c b"),
        ])
    }

    @Test func itSaysWhetherTheListIsAnother() {
        var director = Director(failureWait: 1)
        #expect(director.update([url("a"), url("b")]) == true)
        #expect(director.update([url("b"), url("a")]) == false)
        #expect(director.update([url("b"), url("c")]) == true)
        #expect(director.update([url("b")]) == true)
    }

    @Test func aRestOfNothing() {
        var director = Director(failureWait: 0)
        _ = director.update([url("a")])
        director.failed(url("a"), "refused", now: 5)
        #expect(director.candidates(now: 5) == [url("a")])
    }

    @Test(arguments: [
        ("http://10.0.0.1:2379", "http://10.0.0.1:2379", true),
        ("http://10.0.0.1:2379", "http://10.0.0.1:2380", false),
        ("http://10.0.0.1:2379", "http://10.0.0.2:2379", false),
        ("http://0.0.0.0:2379", "http://10.0.0.7:2379", true),
        ("http://0.0.0.0:2379", "http://10.0.0.8:2379", false),
        ("http://:2379", "http://localhost:2379", true),
        ("http://0.0.0.0:2379", "http://127.0.0.1:2379", true),
        ("http://localhost:2379", "http://127.0.0.1:2379", true),
        ("http://127.0.0.1:2379", "http://127.0.0.2:2379", false),
        ("http://127.0.0.1:2379", "http://0.0.0.0:2379", true),
    ])
    func itself(_ listening: String, _ url: String, _ isOwn: Bool) throws {
        let own = OwnEndpoints(listening: [try EndpointURL(listening)], machine: ["10.0.0.7"])
        #expect(own.contains(try EndpointURL(url)) == isOwn)
    }
}
