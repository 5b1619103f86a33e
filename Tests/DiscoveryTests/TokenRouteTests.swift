import Testing

@testable import Discovery

/// What the service serves, and what it does not.
@Suite struct TokenRouteTests {
    private static let token = "0123456789abcdef0123456789abcdef"

    private func route(_ method: String, _ path: String, _ query: String = "") -> TokenRoute {
        TokenRoute(method: method, path: path, query: query)
    }

    @Test func pagesOfItsOwn() {
        #expect(route("GET", "/") == .usage(token: nil))
        #expect(route("GET", "/", "a=b&token=x") == .usage(token: "x"))
        #expect(route("GET", "/", "token") == .usage(token: ""))
        #expect(route("GET", "/new") == .new)
        #expect(route("POST", "/new/") == .new)
        #expect(route("GET", "/robots.txt") == .robots)
        #expect(route("GET", "/health") == .member)
        #expect(route("PUT", "/health") == .methodNotAllowed(allowed: "GET"))
    }

    @Test func tokensUnderBothNames() {
        for base in ["/\(Self.token)", "/v2/keys/_etcd/registry/\(Self.token)"] {
            #expect(route("GET", base) == .token(Self.token, rest: ""))
            #expect(route("GET", "\(base)/") == .token(Self.token, rest: ""))
            #expect(
                route("GET", "\(base)/_config/size") == .token(Self.token, rest: "/_config/size"))
            #expect(route("PUT", "\(base)/1c5") == .token(Self.token, rest: "/1c5"))
            #expect(
                route("PUT", "\(base)/_config/size") == .methodNotAllowed(allowed: "GET,HEAD"))
            #expect(route("DELETE", base) == .methodNotAllowed(allowed: "GET,HEAD"))
            for rest in ["/_config", "/a/b", "/..", "/%2e%2e", "//", "/a/", "/_state"] {
                #expect(route("GET", base + rest) == .absent, "\(rest)")
            }
        }
    }

    @Test func nothingElse() {
        for path in [
            "/v2/keys", "/v2/keys/", "/v2/keys/a", "/v2/keys/_etcd/registry", "/v2/admin/backup",
            "/v2/keys/_etcd/registry/", "/\(Self.token)0", "/\(Self.token.dropLast())",
            "/\(Self.token.uppercased())", "/v2/members/1", "/debug/vars", "/v2/stats/self",
            "/config/local/log", "//", "*",
        ] {
            #expect(route("GET", path) == .absent, "\(path)")
        }
    }

    @Test(arguments: [
        (604_800, "7 days"), (2, "2 seconds"), (90, "90 seconds"), (7200, "120 minutes"),
        (86_400, "24 hours"), (172_800, "48 hours"), (172_801, "2 days"),
    ])
    func timesAreSpelt(_ seconds: Int64, _ text: String) {
        #expect(UsagePage.spell(.seconds(seconds)) == text)
    }
}
