import StorageIO

/// Draws sequences of requests over a small key space, so that they meet each other.
///
/// Each sequence has a shape of its own (few names or many, shallow or deep, with or without times
/// to live, watches and nonsense), which finds more than the same mixture again and again.
struct RequestGenerator {
    /// All top-level names that a sequence may make, but for those of POST to the root.
    static let topNames = ["a", "b", "dir", "_h", "%C3%A9", "ab", "x%20y", ".c", "a+b"]
    static let values = [
        "", "x", "yy", "x", "yy", "one+two", "%3Ctag%3E%26%22%5C%2F", "%FF%C3",
        "%E2%80%A8%E2%80%A9",
        "%00%08%09%0a%0c%0d%1f%7f", "grün", "%F0%9F%98%80", "%7B%22a%22%3A1%7D", "%25zz",
    ]

    var random: SplitMix64
    private let names: [String]
    private let depthMax: Int
    private let lifetimesPercent: Int
    private let watchesPercent: Int
    private let oddPercent: Int

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        names = Array(Self.topNames.prefix(random.pick([2, 4, Self.topNames.count])))
        depthMax = random.pick([1, 2, 4])
        lifetimesPercent = random.pick([0, 10, 30])
        watchesPercent = random.pick([0, 3, 10])
        oddPercent = random.pick([0, 5, 5, 40])
    }

    mutating func sequence() -> [TestRequest] {
        (0..<random.pick([5, 30, 80])).map { _ in request() }
    }

    private mutating func request() -> TestRequest {
        if random.chance(percent: oddPercent) { return oddRequest() }
        if random.chance(percent: watchesPercent) { return watch() }
        switch random.below(100) {
        case ..<46: return put()
        case ..<53: return post()
        case ..<69: return delete()
        case ..<97: return get()
        default: return page()
        }
    }

    // MARK: - Keys

    /// As in a URL, below `/v2/keys`: `/a/b`.
    mutating func key() -> String {
        if random.below(60) == 0 { return "/" }
        return (0...random.below(depthMax)).map { _ in "/" + random.pick(names) }.joined()
    }

    private mutating func put() -> TestRequest {
        let key = key()
        var request = TestRequest(method: "PUT", target: "/v2/keys" + key)
        var fields: [String] = []
        let isRefresh = random.chance(percent: 5)
        if random.chance(percent: isRefresh ? 10 : 88) { fields.append("value=" + value()) }
        if random.chance(percent: 14) { fields.append("dir=" + flag(truePercent: 90)) }
        if isRefresh { fields.append("refresh=" + flag(truePercent: 90)) }
        if isRefresh || random.chance(percent: lifetimesPercent) {
            let seconds = lifetime()
            request.expiresAtOnce = seconds == "0" || seconds == "18446744073709551615"
            fields.append("ttl=" + seconds)
            // More than the clock can count makes a key permanent when it is set, but lets it
            // expire at once when it is changed.
            if seconds.hasPrefix("92233720") {
                place(fields, in: &request)
                return request
            }
        }
        if random.chance(percent: 16) { fields.append("prevExist=" + flag(truePercent: 60)) }
        if random.chance(percent: 10) {
            fields.append("prevValue=" + random.pick(["x", "yy", "no"]))
        }
        if random.chance(percent: 8) { fields.append("prevIndex=" + previousIndex(key)) }
        if random.chance(percent: 3) { fields.append("noValueOnSuccess=" + flag(truePercent: 80)) }
        place(fields, in: &request)
        return request
    }

    private mutating func post() -> TestRequest {
        var request = TestRequest(method: "POST", target: "/v2/keys" + key())
        var fields = ["value=" + value()]
        if random.chance(percent: 10) { fields = ["dir=true"] }
        if random.chance(percent: lifetimesPercent) { fields.append("ttl=500") }
        if random.chance(percent: 5) { fields.append("prevExist=" + flag(truePercent: 50)) }
        if random.chance(percent: 3) { fields.append("noValueOnSuccess=true") }
        place(fields, in: &request)
        return request
    }

    private mutating func delete() -> TestRequest {
        let key = key()
        var fields: [String] = []
        if random.chance(percent: 30) { fields.append("recursive=" + flag(truePercent: 90)) }
        if random.chance(percent: 25) { fields.append("dir=" + flag(truePercent: 90)) }
        if random.chance(percent: 10) {
            fields.append("prevValue=" + random.pick(["x", "yy", "no"]))
        }
        if random.chance(percent: 10) { fields.append("prevIndex=" + previousIndex(key)) }
        if random.chance(percent: 3) { fields.append("prevExist=" + flag(truePercent: 50)) }
        return TestRequest(method: "DELETE", target: target(key, fields))
    }

    private mutating func get() -> TestRequest {
        var fields: [String] = []
        if random.chance(percent: 30) { fields.append("recursive=" + flag(truePercent: 85)) }
        if random.chance(percent: 40) { fields.append("sorted=" + flag(truePercent: 85)) }
        if random.chance(percent: 10) { fields.append("quorum=" + flag(truePercent: 80)) }
        return TestRequest(
            method: random.chance(percent: 12) ? "HEAD" : "GET", target: target(key(), fields))
    }

    private mutating func watch() -> TestRequest {
        var key = key()
        let isRecursive = key == "/" || random.chance(percent: 50)
        let isStream = random.chance(percent: 30)
        var fields = ["wait=true"]
        var writesToEnd = 1
        if isRecursive { fields.append("recursive=true") }
        if isStream { fields.append("stream=true") }
        switch random.below(10) {
        case ..<4: break
        case ..<8: fields.append("waitIndex=«i-\(random.below(12))»")
        case 8:
            writesToEnd = 7
            fields.append("waitIndex=«i+\(random.below(6))»")
        default: fields.append("waitIndex=«i-\(900 + random.below(200))»")
        }
        let target = target(key, fields)
        // The root itself cannot be written: what ends a watch on it is a write below.
        if key == "/" { key = "/a" }
        return TestRequest(
            target: target, watch: .init(key: key, isStream: isStream, writesToEnd: writesToEnd))
    }

    // MARK: - Values

    mutating func value() -> String {
        if random.below(300) == 0 {
            return String(repeating: "long.", count: 1 + random.below(20_000))
        }
        return random.pick(Self.values)
    }

    private mutating func lifetime() -> String {
        if random.below(60) == 0 { return random.pick(["0", "18446744073709551615"]) }
        return random.pick([
            "100", "0500", "3000", "1000", "", "3153600000", "9223372036", "9223372037",
        ])
    }

    private mutating func previousIndex(_ key: String) -> String {
        random.chance(percent: 70) ? "«m:\(key)»" : random.pick(["«i»", "«i-1»", "0", "1"])
    }

    mutating func flag(truePercent: Int) -> String {
        random.chance(percent: truePercent)
            ? random.pick(["true", "true", "true", "1", "t", "T", "TRUE", "True"])
            : random.pick(["false", "0", "f", "F", "FALSE", "False"])
    }

    func target(_ key: String, _ fields: [String]) -> String {
        "/v2/keys" + key + (fields.isEmpty ? "" : "?" + fields.joined(separator: "&"))
    }

    /// Fields go into the form, the query, or both.
    private mutating func place(_ fields: [String], in request: inout TestRequest) {
        let cut =
            switch random.below(10) {
            case ..<6: 0
            case ..<8: fields.count
            default: random.below(fields.count + 1)
            }
        if cut > 0 { request.target += "?" + fields[..<cut].joined(separator: "&") }
        guard cut < fields.count else { return }
        request.headers.append(.init(name: "Content-Type", value: TestRequest.formType))
        request.body = fields[cut...].joined(separator: "&")
    }
}

extension SplitMix64 {
    mutating func pick<T>(_ choices: [T]) -> T { choices[below(choices.count)] }
}
