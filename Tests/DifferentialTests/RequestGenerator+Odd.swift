import StorageIO

/// Requests that no sensible client sends, and pages beside the keys.
extension RequestGenerator {
    private static let flags = [
        "recursive", "sorted", "wait", "dir", "quorum", "stream", "prevExist", "refresh",
    ]
    private static let badFlags = [
        "", "yes", "tRue", "2", "true%20", "+true", "%74rue", "on", "nil",
    ]
    private static let numbers = ["prevIndex", "waitIndex", "ttl"]
    private static let badNumbers = [
        "", "-1", "+1", "%2B1", "1.0", "1e3", "0x10", "+", "%201", "1%20", "abc", "01", "1_000",
        "٣",
        "18446744073709551616", "99999999999999999999", "%31",
    ]
    private static let badQueries = [
        "%zz=1", "value=%zz", "a;b", "value=x;ttl=5", "&&", "=", "=x", "value", "%", "%4",
        "value=a%2",
        "Value=x", "valu%65=coded", "unknown=1", "value=a=b", "value=a&value=b", "?", "value=?x",
        "wait=true", "ttl=+5", "prevValue=", "prevValue", "recursive", "value=%2B", "ttl=5&ttl=x",
        "sorted=true&sorted=maybe", "#x", "value=a%00b", "noValueOnSuccess=x", "consistent=true",
        "prevValue=&prevIndex=x", "prevIndex=x&recursive=x&ttl=x", "refresh=true",
        "refresh=true&ttl=",
        "refresh=true&value=a&ttl=5", "dir=x&sorted=x", "stream=x&quorum=x",
    ]
    private static let oddPaths = [
        "/", "/v2", "/v2/", "/v2/keysfoo", "/v2/key", "/v2/stats", "/v2/stats/", "/v2/stats/self/",
        "/v2/machines/", "/v2/auth", "/machines", "/leader", "/v2/leader", "/version/", "/health/",
        "/members", "/raft", "/v2/config/local/proxy", "/v2/keys/../x", "/v2//keys/a",
        "//v2/keys/a",
        "/v2/keys//a", "/v2/keys/a//b", "/v2/keys/./a", "/v2/keys/a/.", "/v2/keys/a/..",
        "/v2/keys/..",
        "/v2/keys/..%2Fx", "/v2/keys/%2e%2e/x", "/v2/keys/a%2Fb", "/v2/keys/a%2F%2Fb",
        "/v2/keys/%2F",
        "/v2/keys/a/", "/v2/keys/a//", "/v2/keys/%zz", "/v2/keys/%", "/v2/keys/%4",
        "/v2/keys/a%00b",
        "/v2/keys/a;b", "/v2/keys/a;b=c/d", "/v2/keys/a+b", "/v2/keys/é", "/v2/keys/%FF",
        "/v2/keys/a=b&c", "/v2/keys/a:b", "/v2/keys/a@b,c", "/v2/keys/%22%3C%3E", "/v2/keys/a%3Fb",
        "/v2/keys/a%23b", "/v2/keys/...", "/v2/keys/a/...", "/v2/keys/_h", "/v2/keys/_h/_i",
        "/V2/keys/a", "/v2/Keys/a", "/v2/keys/A", "/v2/keys?recursive=true&sorted=true", "/v2/keys",
        "/v2/keys/%20", "/v2/keys/a%20/b", "/v2/keys/%5C", "/v2/keys/a\\b", "/v2/keys/a|b",
        "/v2/keys/[a]", "/v2/keys/a^b", "/v2/keys/a`b", "/v2/keys/a\"b", "/v2/keys/<a>",
        "/v2/keys/{",
        "/v2/keys/a'b", "/v2/keys/*", "/v2/keys/$", "/v2/keys/!", "/v2/keys/~", "/v2/keys/a?",
        "/v2/keys/a??", "/v2/keys/a%3", "/v2/keys/%e9", "/v2/keys/a/%2E/b", "/v2/keys/a%2f..%2fb",
        "http://differential/v2/keys/a", "http://other/v2/keys/a?sorted=true", "/v2/keys/a#b",
        "/v2/admin", "/v2/members/", "/v2/keys/%C3", "/v2/keys/%c3%a9", "/v2/keys/a/../../keys/b",
    ]
    private static let contentTypes = [
        "", "text/plain", "application/json", "multipart/form-data",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded; charset=utf-8", "Application/X-WWW-Form-URLencoded",
        "application/x-www-form-urlencoded;", "application/x-www-form-urlencoded;;", "; x",
        "application/x-www-form-urlencoded; x", "application/x-www-form-urlencoded; x=",
        "application/x-www-form-urlencoded;x=\"a;b\"", "application/", "/", "application", "a b/c",
        "application/x-www-form-urlencoded, text/plain", " application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; x=1; x=2", "application/x-www-form-urlencoded; *x=1",
        "application/x-www-form-urlencoded; charset=\"", "text/plain; x", "text/plain; ; x=1",
    ]
    private static let methods =
        [
            "PUT", "POST", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "TRACE", "LOCK", "PROPFIND",
            "M-SEARCH",
        ] + unknownMethods
    /// Methods of no standard.
    static let unknownMethods = ["put", "get", "FOO"]

    mutating func oddRequest() -> TestRequest {
        switch random.below(10) {
        case 0: return oddMethod()
        case 1, 2: return oddPath()
        case 3: return oddContentType()
        case 4: return bodyWhereNoneIsRead()
        case 5: return oddMember()
        case 6: return page()
        default: return oddFields()
        }
    }

    private mutating func oddFields() -> TestRequest {
        var request = TestRequest(
            method: random.pick(["PUT", "PUT", "POST", "GET", "DELETE", "HEAD"]),
            target: "/v2/keys" + key())
        let field =
            switch random.below(4) {
            case 0: random.pick(Self.flags) + "=" + random.pick(Self.badFlags)
            case 1: random.pick(Self.numbers) + "=" + random.pick(Self.badNumbers)
            default: random.pick(Self.badQueries)
            }
        // A GET that waits belongs to the watches.
        if request.method == "GET", field.hasPrefix("wait") { request.method = "PUT" }
        // A known difference, after which the stores are to be equal still.
        if field.hasPrefix("noValueOnSuccess") { request.method = "GET" }
        if random.coin() {
            request.target += "?" + field
            if random.coin() { addForm("value=" + value(), to: &request) }
        } else {
            if random.coin() { request.target += "?value=x&ttl=500&dir=false" }
            addForm(field, to: &request)
            request.isChunked = random.chance(percent: 20)
        }
        return request
    }

    private mutating func addForm(_ form: String, to request: inout TestRequest) {
        request.headers.append(.init(name: "Content-Type", value: TestRequest.formType))
        request.body = form
    }

    private mutating func oddPath() -> TestRequest {
        var request = TestRequest(
            method: random.pick(["GET", "GET", "PUT", "PUT", "POST", "DELETE", "HEAD", "OPTIONS"]),
            target: random.pick(Self.oddPaths))
        if random.chance(percent: 30) { request.target += "?value=v" }
        return request
    }

    private mutating func oddMethod() -> TestRequest {
        let target = random.chance(percent: 60) ? "/v2/keys" + key() : random.pick(Self.oddPaths)
        var request = TestRequest(method: random.pick(Self.methods), target: target)
        if request.method == "OPTIONS", random.chance(percent: 20) { request.target = "*" }
        return request
    }

    private mutating func oddContentType() -> TestRequest {
        var request = TestRequest(
            method: random.pick(["PUT", "POST", "PUT", "PATCH"]), target: "/v2/keys" + key())
        request.headers.append(.init(name: "Content-Type", value: random.pick(Self.contentTypes)))
        request.body = random.pick(["value=x", "value=x&ttl=100", "", "{\"value\":1}", "--x--"])
        request.isChunked = random.chance(percent: 10)
        return request
    }

    /// A form of a GET, HEAD or DELETE, or a PUT without a Content-Type.
    private mutating func bodyWhereNoneIsRead() -> TestRequest {
        var request = TestRequest(
            method: random.pick(["GET", "DELETE", "HEAD", "PUT", "OPTIONS"]),
            target: "/v2/keys" + key())
        let form = random.pick(["value=x", "recursive=true", "recursive=x", "%zz", "dir=true"])
        if request.method == "PUT" { request.body = form } else { addForm(form, to: &request) }
        if random.chance(percent: 20) {
            request.headers.append(.init(name: "Origin", value: "http://page.example"))
        }
        return request
    }

    // MARK: - Beside the keys

    mutating func page() -> TestRequest {
        let target = random.pick([
            "/version", "/health", "/v2/machines", "/v2/members", "/v2/members/leader",
            "/v2/stats/self", "/v2/stats/store", "/v2/stats/leader", "/metrics", "/debug/vars",
            "/v2/members?x=1", "/v2/stats/store?sorted=x", "/config/local/log", "/v2/auth/enable",
            "/v2/auth/users", "/v2/auth/roles", "/v2/auth/roles/", "/v2/auth/users/nobody",
            "/v2/auth/roles/root", "/v2/auth/roles/none", "/v2/auth/users/a/b",
        ])
        // Others would change what may be done.
        let mayBeOdd = !target.hasPrefix("/v2/auth")
        let method =
            mayBeOdd && random.chance(percent: 20) ? random.pick(Self.methods) : "GET"
        return TestRequest(method: method, target: target)
    }

    /// Never one that would change the members.
    private mutating func oddMember() -> TestRequest {
        var request = TestRequest(
            method: random.pick(["POST", "POST", "PUT", "DELETE", "GET"]),
            target: random.pick([
                "/v2/members", "/v2/members/", "/v2/members/1", "/v2/members/FF", "/v2/members/ff/",
                "/v2/members/xyz", "/v2/members/11111111111111111", "/v2/members/1/2",
            ]))
        guard request.method == "POST" || request.method == "PUT" else { return request }
        request.headers.append(
            .init(
                name: "Content-Type",
                value: random.pick([
                    "application/json", "application/json", "application/json", "text/plain",
                    "application/json; charset=utf-8", "",
                ])))
        request.body = random.pick([
            "", "{", "[]", "{}", "null", "{\"peerURLs\":[]}", "{\"peerURLs\":[\"\"]}",
            "{\"peerURLs\":\"http://127.0.0.1:1\"}", "{\"peerURLs\":[\"ftp://127.0.0.1:1\"]}",
            "{\"peerURLs\":[\"http://127.0.0.1\"]}", "{\"peerURLs\":[\"http://127.0.0.1:1/path\"]}",
            "{\"peerURLs\":[1]}", "{\"peerURLs\":[\"127.0.0.1:1\"]}",
            "{\"peerURLs\":[\"http://%zz:1\"]}",
        ])
        return request
    }
}
