import Logging
import Synchronization
import Testing

@testable import Logs

@Suite struct LoggerTests {
    private let pipe = LogPipe()
    private let levels = LogLevels()

    private func logger(_ package: String) -> Logger {
        Logs.logger(package, levels: levels, sink: pipe.sink)
    }

    @Test func writesWhatIsAtItsLevelOrAbove() throws {
        let log = logger("raft")
        log.debug("no")
        log.info("yes")
        log.critical("yes too")
        #expect(try pipe.texts() == ["I | raft: yes", "C | raft: yes too"])
    }

    @Test func aLineThatIsNotWantedIsNotBuilt() throws {
        let log = logger("raft")
        var built = 0
        func message() -> Logger.Message {
            built += 1
            return "m"
        }
        log.debug(message())
        #expect(built == 0)
        log.info(message())
        #expect(built == 1)
    }

    @Test func levelsChangeWhileLoggersLive() throws {
        let raft = logger("raft")
        let server = logger("etcdserver")
        raft.debug("1")
        levels.set("raft", to: .debug)
        raft.debug("2")
        server.debug("3")
        levels.setAll(.error)
        raft.warning("4")
        server.error("5")
        logger("new").warning("6")
        levels.set("*", to: .trace)
        server.trace("7")
        #expect(
            try pipe.texts() == ["D | raft: 2", "E | etcdserver: 5", "T | etcdserver: 7"])
    }

    @Test func oneLoggersLevelIsItsOwn() throws {
        var own = logger("raft")
        let other = logger("raft")
        own.logLevel = .trace
        own.trace("1")
        other.trace("2")
        #expect(try pipe.texts() == ["T | raft: 1"])
    }

    @Test func metadataOfLoggerAndLineAreBothShown() throws {
        struct Broken: Error, CustomStringConvertible { let description = "it broke" }
        var log = logger("raft")
        log[metadataKey: "member"] = "a"
        log[metadataKey: "peer"] = "b"
        log.info("m", metadata: ["peer": "c"])
        log.error("m", error: Broken())
        #expect(
            try pipe.texts() == [
                "I | raft: m member=a peer=c", "E | raft: m error=\"it broke\" member=a peer=b",
            ])
    }

    /// Eight threads, one pipe: every line arrives whole.
    @Test func linesOfManyThreadsDoNotMix() async throws {
        let log = logger("raft")
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for line in 0..<40 { log.info("task \(task) line \(line)") }
                }
            }
        }
        let texts = try pipe.texts()
        #expect(texts.count == 320)
        let expected = Set(
            (0..<8).flatMap { task in (0..<40).map { "I | raft: task \(task) line \($0)" } })
        #expect(Set(texts) == expected)
    }

    @Test func aClosedReaderLosesTheLineOnly() throws {
        let log = Logs.logger("raft", levels: levels, sink: LogSink(descriptor: 1_000_000))
        log.info("nobody hears this")
    }
}

@Suite struct LogLevelsTests {
    @Test func readsPackagesAndLevels() throws {
        let parsed = try LogLevels.parse("etcdserver=DEBUG,raft=w,*=Info")
        #expect(parsed.map(\.package) == ["etcdserver", "raft", "*"])
        #expect(parsed.map(\.level) == [.debug, .warning, .info])
    }

    @Test(arguments: [
        ("CRITICAL", Logger.Level.critical), ("c", .critical), ("error", .error), ("0", .error),
        ("Warning", .warning), ("1", .warning), ("NOTICE", .notice), ("2", .notice),
        ("I", .info), ("3", .info), ("d", .debug), ("4", .debug), ("Trace", .trace),
        ("5", .trace),
    ])
    func namesOfLevels(_ name: String, _ level: Logger.Level) {
        #expect(LogLevels.level(named: name) == level)
    }

    @Test(arguments: ["", "6", "WARN", "VERBOSE", "DEBUG "])
    func noLevels(_ name: String) {
        #expect(LogLevels.level(named: name) == nil)
    }

    @Test(arguments: [
        ("raft", LogLevelError.Code.notAssignment), ("", .notAssignment),
        ("=DEBUG", .notAssignment),
        ("raft=DEBUG,", .notAssignment), ("a=b=c", .notAssignment), ("raft=LOUD", .unknownLevel),
    ])
    func badSpecifications(_ text: String, _ code: LogLevelError.Code) {
        let error = #expect(throws: LogLevelError.self) { try LogLevels.parse(text) }
        #expect(error?.code == code)
    }

    @Test func flagsOfTheServer() {
        let levels = LogLevels()
        #expect(levels.configure(isDebug: true, packageLevels: "raft=ERROR") == nil)
        #expect(levels.threshold(of: "raft").level == .error)
        #expect(levels.threshold(of: "wal").level == .debug)
        let warning = levels.configure(isDebug: false, packageLevels: "raft")
        #expect(warning?.hasPrefix("couldn't parse log level string: \"raft\" is not") == true)
        #expect(warning?.hasSuffix(", continuing with default levels") == true)
        #expect(levels.threshold(of: "raft").level == .info)
    }

    @Test func aBadSpecificationChangesNothing() {
        let levels = LogLevels()
        #expect(throws: LogLevelError.self) { try levels.apply("raft=DEBUG,wal=LOUD") }
        #expect(levels.threshold(of: "raft").level == .info)
    }
}

@Suite struct RepetitionLimitTests {
    private let limit = RepetitionLimit()
    private let start = ContinuousClock.now

    private func line(_ message: String) -> RepetitionLimit.Line {
        RepetitionLimit.Line(level: .warning, package: "rafthttp", message: message)
    }

    /// What is written when `message` comes so many milliseconds after the start.
    private func written(_ message: String, at milliseconds: Int) -> [String] {
        let verdict = limit.take(line(message), now: start + .milliseconds(milliseconds))
        return verdict.overdue.map { $0.line.message + $0.omission.note }
            + (verdict.omission.map { [message + $0.note] } ?? [])
    }

    @Test func aRepeatedLineIsWrittenOnceInTenSecondsAndCounted() {
        var lines = (0..<25).flatMap { written("lost peer a", at: $0 * 1000) }
        lines += written("lost peer b", at: 25_000)
        lines += limit.removeAll(now: start + .seconds(26)).map {
            $0.line.message + $0.omission.note
        }
        #expect(
            lines == [
                "lost peer a",
                "lost peer a [merged 9 repeated lines in 10s]",
                "lost peer a [merged 9 repeated lines in 10s]",
                "lost peer b",
                "lost peer a [merged 4 repeated lines in 6s]",
            ])
    }

    @Test func oneLeftOutLineIsASingular() {
        let lines = [0, 1000, 11_000].flatMap { written("m", at: $0) }
        #expect(lines.last == "m [merged 1 repeated line in 11s]")
    }

    @Test func whatDoesNotComeAgainIsWrittenForItsCount() {
        let lines = [0, 1, 2].flatMap { written("a", at: $0) } + written("b", at: 9000)
        #expect(lines == ["a", "b"])
        #expect(written("c", at: 12_000) == ["a [merged 2 repeated lines in 12s]", "c"])
        // Nothing is left of it: the next one is a first one.
        #expect(written("a", at: 13_000) == ["a"])
        #expect(written("d", at: 60_000) == ["d"])
    }

    @Test func levelAndPackageAreALinesOwn() {
        let lines = [
            line("m"), RepetitionLimit.Line(level: .error, package: "rafthttp", message: "m"),
            RepetitionLimit.Line(level: .warning, package: "raft", message: "m"),
        ]
        for line in lines { #expect(limit.take(line, now: start).omission != nil) }
        for line in lines { #expect(limit.take(line, now: start).omission == nil) }
    }

    @Test func memoryIsBounded() {
        _ = written("0", at: 0)
        _ = written("0", at: 0)
        let lines = (1...299).flatMap { written("\($0)", at: $0) }
        // The 44 oldest are forgotten, the first of them with its count.
        #expect(lines.count == 300)
        #expect(lines.contains("0 [merged 1 repeated line in 1s]"))
        #expect(written("299", at: 1000).isEmpty)
        #expect(written("0", at: 1000) == ["0"])
    }

    @Test func loggersOfOneLimitLeaveLinesOut() throws {
        let pipe = LogPipe()
        func logger() -> Logger {
            Logs.logger("rafthttp", levels: LogLevels(), sink: pipe.sink, limit: limit)
        }
        for port in 0..<3 { logger().warning("refused a caller", metadata: ["port": "\(port)"]) }
        for _ in 0..<3 { logger().debug("below the level") }
        pipe.sink.write(limit.removeAll())
        #expect(
            try pipe.texts() == [
                "W | rafthttp: refused a caller port=0",
                "W | rafthttp: refused a caller [merged 2 repeated lines in 1s]",
            ])
    }
}
