import KeyStore

/// Draws requests over a small key space, so that they meet each other: names are few, some long
/// and alike, some hidden; directories are made, filled, replaced and deleted.
struct RandomRequests {
    private var random: SplitMix64
    /// Moves on with each request; expirations lie around it.
    private(set) var now: Int64 = StoreText.start
    private let names: [String]
    private let depthMax: Int

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        // Each seed draws its own shape: a few crowded directories, or many small ones.
        let count = random.pick([3, 8, 200])
        depthMax = random.pick([2, 3, 5])
        let stem = random.pick(["", "k", "a-long-common-beginning-of-names-"])
        let hidden = random.chance(50) ? ["_h", "_"] : []
        names = (0..<count).map { "\(stem)\($0)" } + hidden
    }

    mutating func path() -> String {
        if random.chance(1) { return random.pick(["/", "/0", "/1", "/2"]) }
        var path = random.chance(95) ? "/1" : "/0"
        for _ in 0...random.below(depthMax) { path += "/" + random.pick(names) }
        return path
    }

    mutating func below(_ bound: Int) -> Int { random.below(bound) }
    mutating func chance(_ percent: Int) -> Bool { random.chance(percent) }

    mutating func next(index: UInt64) -> ReferenceStore.Request {
        now += Int64(random.below(1_000)) * 1_000_000
        let method: Command.Method
        switch random.below(100) {
        case ..<60: method = .put
        case ..<68: method = .post
        case ..<90: method = .delete
        case ..<97: method = .quorumGet
        default: method = .sync
        }
        var request = ReferenceStore.Request(method: method, path: path())
        request.time = now
        if method == .post, random.chance(70) { request.path = "/1/" + random.pick(names) }
        request.isDirectory = random.chance(15)
        request.isRecursive = random.chance(30)
        request.isRefresh = random.chance(10)
        request.value =
            request.isRefresh ? "" : random.pick(["", "x", "yy", "value-of-some-length"])
        if random.chance(20) { request.previousExists = random.chance(60) }
        if random.chance(12) { request.previousValue = random.pick(["x", "yy", "other"]) }
        if random.chance(8) { request.previousIndex = UInt64(max(0, Int(index) - random.below(4))) }
        if random.chance(25) { request.expiration = expiration() }
        return request
    }

    private mutating func expiration() -> Int64 {
        switch random.below(20) {
        case 0: return Int64(random.below(900)) * 1_000_000_000_000_000
        case 1: return -5
        default: return now + Int64(random.below(20)) * 1_000_000_000
        }
    }
}

extension ReferenceStore.Request {
    /// The same for the store.
    func withCommand<R>(_ body: (Command) throws -> R) rethrows -> R {
        try Array(path.utf8).withUnsafeBytes { path in
            try Array(value.utf8).withUnsafeBytes { value in
                try Array(previousValue.utf8).withUnsafeBytes { previousValue in
                    var command = Command(method, path: path)
                    command.value = value
                    command.previousValue = previousValue
                    command.isDirectory = isDirectory
                    command.previousIndex = previousIndex
                    command.previousExists = previousExists
                    command.expiration = expiration
                    command.isRefresh = isRefresh
                    command.isRecursive = isRecursive
                    command.time = time
                    return try body(command)
                }
            }
        }
    }
}
