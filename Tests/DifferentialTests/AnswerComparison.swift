import GoldenSupport

/// Compares two servers' answers to one request.
///
/// Compared as they are: the status, the headers that mean something, the body's bytes. Indices are
/// not normalised: both stores stand at the same index all the time. Normalised are the cluster id,
/// Raft's term and index, URLs and ids of members, the order of unsorted listings, and times: two
/// that were due at the same moment may be written, and read, a second or two apart.
struct AnswerComparison {
    /// The servers' own URLs and ids; each is replaced by its name.
    let etcdNames: [(own: String, common: String)]
    let kvdNames: [(own: String, common: String)]

    /// What differs, as sentences; empty if nothing does.
    func problems(
        _ request: TestRequest, _ etcd: RawClient.Response, _ kvd: RawClient.Response
    ) -> [String] {
        var problems: [String] = []
        if etcd.status != kvd.status { problems.append("status") }
        if Self.headers(etcd) != Self.headers(kvd) { problems.append("headers") }
        if request.method == "HEAD" {
            if let problem = lengthProblem(etcd, kvd) { problems.append(problem) }
        } else if let problem = bodyProblem(request, etcd.body, kvd.body) {
            problems.append(problem)
        }
        return problems
    }

    // MARK: - Headers

    /// In one order, those whose values are each server's own reduced to their shape.
    static func headers(_ answer: RawClient.Response) -> [String] {
        var lines: [String] = []
        for header in answer.headers {
            switch header.name {
            // How a body is framed is not part of the answer; `body` is what came through it.
            case "Date", "Content-Length", "Transfer-Encoding": continue
            case "X-Raft-Index", "X-Raft-Term":
                lines.append(header.name + (Int(header.value) == nil ? " is no number" : ""))
            case "X-Etcd-Cluster-Id":
                let isHex = UInt64(header.value, radix: 16) != nil
                lines.append(header.name + (isHex ? "" : " is not hexadecimal"))
            default: lines.append(header.name + ": " + header.value)
            }
        }
        return lines.sorted()
    }

    /// Times are not always of one length, nor are large bodies announced.
    private func lengthProblem(
        _ etcd: RawClient.Response, _ kvd: RawClient.Response
    ) -> String? {
        guard let a = etcd["Content-Length"].flatMap({ Int($0) }),
            let b = kvd["Content-Length"].flatMap({ Int($0) })
        else { return nil }
        return abs(a - b) <= max(a, b) / 5 ? nil : "length"
    }

    // MARK: - Bodies

    private func bodyProblem(
        _ request: TestRequest, _ etcd: [UInt8], _ kvd: [UInt8]
    ) -> String? {
        if etcd == kvd { return nil }
        switch PageKind(request.target) {
        case .counted: return Self.shape(etcd) == Self.shape(kvd) ? nil : "body"
        case .ownToAServer: return etcd.isEmpty == kvd.isEmpty ? nil : "body"
        case .exact: break
        }
        let (etcd, kvd) = (Self.renamed(etcd, etcdNames), Self.renamed(kvd, kvdNames))
        if etcd == kvd { return nil }
        guard let a = CanonicalJSON(etcd), let b = CanonicalJSON(kvd) else {
            return eventsProblem(etcd, kvd)
        }
        // A write that gives a key its time to live says just that.
        if ["PUT", "POST"].contains(request.method), a.namesLifetimeOfNode,
            a.lifetimes.first != b.lifetimes.first
        {
            return "ttl"
        }
        return Self.problem(a, b)
    }

    /// Several events, one a line.
    private func eventsProblem(_ etcd: [UInt8], _ kvd: [UInt8]) -> String? {
        let (a, b) = (etcd.split(separator: 10), kvd.split(separator: 10))
        guard a.count == b.count, a.count > 1 else { return "body" }
        for (one, other) in zip(a, b) {
            guard let one = CanonicalJSON(Array(one)), let other = CanonicalJSON(Array(other))
            else { return "body" }
            if let problem = Self.problem(one, other) { return problem }
        }
        return nil
    }

    private static func problem(_ a: CanonicalJSON, _ b: CanonicalJSON) -> String? {
        if a.text != b.text { return "body" }
        if zip(a.lifetimes, b.lifetimes).contains(where: { abs($0 - $1) > 1 }) { return "ttl" }
        let areNear = zip(a.expirations, b.expirations).allSatisfy(Timestamp.areNear)
        return areNear ? nil : "expiration"
    }

    static func renamed(
        _ body: [UInt8], _ names: [(own: String, common: String)]
    ) -> [UInt8] {
        var text = String(decoding: body, as: UTF8.self)
        guard Array(text.utf8) == body, names.contains(where: { text.contains($0.own) }) else {
            return body
        }
        for name in names { text = text.replacing(name.own, with: name.common) }
        return Array(text.utf8)
    }

    /// A page with numbers and texts taken out: names and their order remain.
    private static func shape(_ body: [UInt8]) -> String {
        String(decoding: body, as: UTF8.self)
            .replacing(/:"[^"]*"/, with: ":text").replacing(/:-?[0-9.e+]+/, with: ":number")
    }
}

/// Pages whose bodies are each server's own.
private enum PageKind {
    case exact
    /// Only names are compared.
    case counted
    case ownToAServer

    init(_ target: String) {
        let path = target.prefix { $0 != "?" }
        switch path {
        case "/v2/stats/self", "/v2/stats/store", "/v2/stats/leader": self = .counted
        case "/metrics", "/debug/vars": self = .ownToAServer
        default: self = .exact
        }
    }
}

/// `"2026-11-23T10:14:27.416034679Z"`, with its quotes, as answers have it.
private enum Timestamp {
    static func areNear(_ a: String, _ b: String) -> Bool {
        if a == b { return true }
        guard let a = seconds(a), let b = seconds(b) else { return false }
        return abs(a - b) <= 2
    }

    /// Since some moment; nil if it is no time in UTC.
    private static func seconds(_ text: String) -> Int? {
        guard
            let match = text.wholeMatch(
                of: /"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d{1,9})?Z"/)
        else { return nil }
        let parts = [match.1, match.2, match.3, match.4, match.5, match.6].compactMap { Int($0) }
        guard parts.count == 6 else { return nil }
        return daysFromCivil(parts[0], parts[1], parts[2]) * 86_400 + parts[3] * 3_600
            + parts[4] * 60 + parts[5]
    }

    /// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    private static func daysFromCivil(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let y = month <= 2 ? year - 1 : year
        let era = y / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    }
}
