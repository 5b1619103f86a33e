/// What one run does. Built by the command line, checked by `validate()`.
package struct BenchPlan: Sendable {
    package enum Kind: String, Sendable {
        case put, get, qget, watch, mixed

        /// What its load connections send; `mixed` alternates between this and reads.
        package var operation: Operation {
            switch self {
            case .put, .watch, .mixed: .put
            case .get: .get
            case .qget: .quorumGet
            }
        }

        package var readsExistingKeys: Bool { self == .get || self == .qget || self == .mixed }
    }

    /// When to stop.
    package enum Limit: Equatable, Sendable {
        case duration(Duration)
        case requests(Int)
    }

    package enum WatchMode: String, CaseIterable, Sendable {
        /// `stream=true`: one answer without end, an event a chunk.
        case stream
        /// One event an answer; asked again from the index after it.
        case longPoll = "long-poll"
    }

    package var kind: Kind
    package var endpoints: [Endpoint]
    package var connectionCount = 1
    /// Requests in flight on each connection.
    package var pipelineDepth = 1
    package var threadCount = 1
    package var keyCount = 10_000
    /// Length of a key's last path element.
    package var keySizeBytes = 16
    package var valueSizeBytes = 128
    package var keyOrder = KeyOrder.random
    /// First path element (or elements) of all keys.
    package var prefix = "bench"
    package var readRatio = 0.9
    package var limit = Limit.duration(.seconds(10))
    package var warmup = Duration.zero
    /// All connections together; nil: each sends its next request when an answer came.
    package var ratePerSecond: Int?
    package var answerTimeout = BenchCore.answerTimeoutDefault
    package var seed: UInt64 = 1
    package var watcherCount = 0
    package var watchMode = WatchMode.stream

    package init(_ kind: Kind, _ endpoints: [Endpoint]) {
        self.kind = kind
        self.endpoints = endpoints
    }

    /// Bytes of a value's stamp: when the write was meant to be sent, in hexadecimal.
    package static let stampSizeBytes = 16
    package static let valueSizeBytesMax = 8 << 20

    /// Throws `.badOption` for what cannot be run, naming the option.
    package func validate() throws(BenchError) {
        func require(_ holds: Bool, _ option: String, _ advice: String) throws(BenchError) {
            if !holds { throw BenchError(.badOption(option), advice: advice) }
        }
        try require(!endpoints.isEmpty, "URL", "Give at least one client URL.")
        try require(
            (1...65_536).contains(connectionCount), "--connections", "Use 1 to 65536 connections.")
        try require((1...4096).contains(pipelineDepth), "--pipeline", "Use a depth of 1 to 4096.")
        try require((1...256).contains(threadCount), "--threads", "Use 1 to 256 threads.")
        try require(
            threadCount <= connectionCount, "--threads", "Use at most one thread a connection.")
        try require((1...1_000_000_000).contains(keyCount), "--keys", "Use 1 to 10^9 keys.")
        try require(
            (String(keyCount - 1).utf8.count...512).contains(keySizeBytes), "--key-size",
            "Use \(String(keyCount - 1).utf8.count) to 512 bytes: keys are zero-padded numbers.")
        try require(
            (0...Self.valueSizeBytesMax).contains(valueSizeBytes), "--value-size",
            "Use 0 to \(Self.valueSizeBytesMax) bytes.")
        try require(
            !prefix.isEmpty && prefix.utf8.allSatisfy(Self.isPlainPathByte), "--prefix",
            "Use letters, digits, '-', '_', '.' and '/'.")
        try require((0...1).contains(readRatio), "--read-ratio", "Use a number from 0 to 1.")
        try require(
            ratePerSecond.map { (1...10_000_000).contains($0) } ?? true, "--rate",
            "Use 1 to 10^7 requests a second.")
        switch limit {
        case .duration(let duration):
            try require(duration > .zero, "--duration", "Use more than 0 seconds.")
        case .requests(let count):
            try require(count > 0, "--requests", "Use at least 1 request.")
        }
        try require(answerTimeout > .zero, "--timeout", "Use more than 0 seconds.")
        if kind == .watch {
            try require((1...65_536).contains(watcherCount), "--watchers", "Use 1 to 65536.")
            try require(
                valueSizeBytes >= Self.stampSizeBytes, "--value-size",
                "Use at least \(Self.stampSizeBytes) bytes: a watched value holds its send time.")
        }
    }

    private static func isPlainPathByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
            UInt8(ascii: "."), UInt8(ascii: "/"):
            true
        default: false
        }
    }
}
