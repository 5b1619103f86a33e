import Foundation
import StorageIO

/// Users, roles and what they may do with keys.
///
/// A few names that meet each other; root's password stays the same, so that everything can be
/// cleared away again. etcd takes a twentieth of a second for each request with a password.
extension RequestGenerator {
    private static let users = ["root", "u1", "u2", "guest"]
    private static let roles = ["r1", "r2", "guest", "root", "none"]
    private static let patterns = ["/a/*", "/a", "/*", "/b", "/dir/*", "/*/b", "*", "", "a"]
    private static let passwords = ["p", "q", ""]
    static let rootPassword = "r"

    mutating func authSequence() -> [TestRequest] {
        let prologue = random.chance(percent: 85) ? [Self.makingRoot] : []
        return prologue + (0..<random.pick([6, 12, 24])).map { _ in authRequest() }
    }

    /// Switches auth off and removes what such a sequence can have made.
    static var clearingAuth: [TestRequest] {
        let names = users.map { "users/" + $0 } + (roles + ["root"]).map { "roles/" + $0 }
        return [makingRoot, auth("DELETE", "enable", user: "root:" + rootPassword)]
            + names.map { auth("DELETE", $0) }
    }

    private static var makingRoot: TestRequest {
        auth("PUT", "users/root", "{\"user\":\"root\",\"password\":\"\(rootPassword)\"}")
    }

    private static func auth(
        _ method: String, _ path: String, _ body: String? = nil, user: String? = nil
    ) -> TestRequest {
        var request = TestRequest(method: method, target: "/v2/auth/" + path, body: body)
        if let user {
            let value = "Basic " + Data(user.utf8).base64EncodedString()
            request.headers.append(.init(name: "Authorization", value: value))
        }
        return request
    }

    private mutating func authRequest() -> TestRequest {
        var request =
            switch random.below(20) {
            case ..<5: putUser()
            case ..<9: putRole()
            case 9: Self.auth("DELETE", "users/" + random.pick(Self.users))
            case 10: Self.auth("DELETE", "roles/" + random.pick(Self.roles))
            case 11: Self.auth(random.pick(["PUT", "PUT", "PUT", "DELETE", "GET"]), "enable")
            case 12: Self.auth("GET", random.pick(["users", "roles", "users/u1", "roles/r1"]))
            case 13: oddAuth()
            default: keyRequest()
            }
        switch random.below(20) {
        case ..<10: request.headers += credentials("root", Self.rootPassword)
        case ..<15:
            request.headers += credentials(random.pick(Self.users), random.pick(["p", "q"]))
        case 15:
            let value = random.pick(["Basic", "Basic !", "Bearer eA==", "basic cm9vdDpy", ""])
            request.headers.append(.init(name: "Authorization", value: value))
        default: break
        }
        return request
    }

    private func credentials(_ user: String, _ password: String) -> [TestRequest.Header] {
        Self.auth("GET", "", user: user + ":" + password).headers
    }

    private mutating func keyRequest() -> TestRequest {
        let key = random.pick(["/a", "/a/b", "/b", "/dir/x", "/", "/a?recursive=true", "/dir"])
        var request = TestRequest(
            method: random.pick(["GET", "PUT", "DELETE", "POST", "HEAD"]), target: "/v2/keys" + key)
        if request.method == "PUT" || request.method == "POST" {
            request.headers.append(.init(name: "Content-Type", value: TestRequest.formType))
            request.body = random.pick(["value=x", "value=x", "dir=true", "ttl=x"])
        }
        return request
    }

    private mutating func putUser() -> TestRequest {
        let name = random.pick(Self.users)
        var fields = ["\"user\":\"\(random.chance(percent: 95) ? name : "other")\""]
        if random.chance(percent: 60) {
            let password = name == "root" ? Self.rootPassword : random.pick(Self.passwords)
            fields.append("\"password\":\"\(password)\"")
        }
        for field in ["roles", "grant", "revoke"] where random.chance(percent: 25) {
            fields.append("\"\(field)\":\(names())")
        }
        return Self.auth("PUT", "users/" + name, "{\(fields.joined(separator: ","))}")
    }

    private mutating func putRole() -> TestRequest {
        let name = random.pick(Self.roles)
        var fields = ["\"role\":\"\(random.chance(percent: 95) ? name : "other")\""]
        for field in ["permissions", "grant", "revoke"] where random.chance(percent: 40) {
            let (read, write) = (rights(), rights())
            fields.append("\"\(field)\":{\"kv\":{\"read\":\(read),\"write\":\(write)}}")
        }
        return Self.auth("PUT", "roles/" + name, "{\(fields.joined(separator: ","))}")
    }

    private mutating func names() -> String { list(of: Self.roles) }

    private mutating func rights() -> String { list(of: Self.patterns) }

    private mutating func list(of choices: [String]) -> String {
        let count = random.pick([0, 1, 1, 2, 3])
        if count == 0, random.coin() { return "null" }
        let words = (0..<count).map { _ in "\"\(random.pick(choices))\"" }
        return "[\(words.joined(separator: ","))]"
    }

    private mutating func oddAuth() -> TestRequest {
        let path = random.pick([
            "users/", "roles/", "users/a/b", "roles/a/b", "enable/", "nothing", "users/u1",
            "roles/r1",
            "users/%20", "roles/%C3%A9",
        ])
        let body = random.pick(["", "{", "[]", "null", "{}", "{\"user\":1}", "{\"role\":\"r1\"} x"])
        let method = random.pick(["PUT", "GET", "DELETE", "POST", "HEAD"])
        return Self.auth(method, path, method == "PUT" || method == "POST" ? body : nil)
    }
}
