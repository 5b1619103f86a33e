import Foundation
import ProcessSupport
import StorageIO

/// Copies of one data dir, each with one damage, each started: it must come back with all that was
/// acknowledged, or say why it does not start.
package final class DamageTrials {
    package struct File: Equatable, Sendable {
        /// Within the data dir.
        package var path: String
        package var size: Int
        /// Up to the last byte that is not 0.
        package var bytesInUse: Int
        var changedAt: Int
    }

    package enum Verdict: Equatable, Sendable {
        /// All that was acknowledged is there.
        case recovered
        /// With the reason that it gave.
        case refused(String)
        /// It serves, and something is missing or other than it was.
        case silentLoss(String)
        /// A signal, a trap, or an end without a word.
        case crashed(String)
    }

    package struct Report: Sendable {
        package var recovered = 0
        package var refused = 0
        package var bad: [String] = []
        /// How often each reason was given, with the paths and numbers taken out.
        package var reasons: [String: Int] = [:]

        package var summary: String {
            let table = reasons.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
                .map { "  \($0.value) × \($0.key)" }
            let head =
                "\(recovered + refused + bad.count) damages: \(recovered) recovered in full, "
                + "\(refused) refused, \(bad.count) lost or crashed"
            return ([head, "reasons given:"] + table + bad).joined(separator: "\n")
        }
    }

    private let folder: TemporaryFolder
    private let original: String
    private let port: Int
    private let arguments: [String]
    private var files: [File] = []
    /// What a client was shown of the undamaged dir.
    private var expected = ""

    /// Fails after the last trial if any went wrong.
    package static func run(count: Int, seed: UInt64, say: (String) -> Void) throws -> Report {
        let trials = try DamageTrials()
        var random = SplitMix64(seed: seed, purpose: Chaos.Purpose.damages)
        try trials.fill(&random)
        var report = Report()
        for number in 1...max(1, count) {
            let damage = Damage.draw(trials.files, &random)
            let verdict = try trials.run(damage, &random)
            switch verdict {
            case .recovered: report.recovered += 1
            case .refused(let reason):
                report.refused += 1
                report.reasons[trials.general(reason), default: 0] += 1
            case .silentLoss(let what), .crashed(let what):
                report.bad.append("trial \(number), \(damage): \(what)")
                say("trial \(number), \(damage): \(verdict)")
            }
            if number % 50 == 0 {
                say("\(number) damages: \(report.recovered) recovered, \(report.refused) refused")
            }
        }
        try trials.checkOriginals()
        guard report.bad.isEmpty else {
            trials.folder.isKept = true
            throw ChaosFailure("\(report.summary)\nthe undamaged dir is kept in \(trials.original)")
        }
        return report
    }

    private init() throws {
        folder = try TemporaryFolder()
        original = folder.path("original")
        let ports = try FreePorts.take(2)
        port = ports[0]
        let (client, peer) = ("http://127.0.0.1:\(ports[0])", "http://127.0.0.1:\(ports[1])")
        arguments = [
            "--name", "m1", "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", "m1=\(peer)", "--heartbeat-interval", "10", "--election-timeout",
            "100", "--snapshot-count", "300", "--max-snapshots", "3", "--scrub-interval", "0",
            // Past values would make snapshots of the bulk's many.
            "--history-events", "20",
        ]
    }

    private func start(_ dataDirectory: String) throws -> KvdProcess {
        try KvdProcess(
            arguments: ["--data-dir", dataDirectory] + arguments, clientPort: port,
            logPath: folder.path("log"))
    }

    // MARK: The dir

    /// Several segments, several snapshots, keys that were changed, deleted and made again; killed.
    private func fill(_ random: inout SplitMix64) throws {
        let process = try start(original)
        try process.waitReady()
        let client = try LoopbackHTTP(port: port)
        func put(_ key: String, _ value: String) throws {
            let answer = try client.request("PUT", "/v2/keys\(key)", form: "value=\(value)")
            guard answer.status < 300 else { throw ChaosFailure("a write failed: \(answer.text)") }
        }
        // What fills two segments of 64 MB lies in a few keys; most entries are small.
        let bulk = (0..<250_000).map { _ in String(random.below(16), radix: 16) }.joined()
        for n in 0..<1800 {
            try put("/kept/\(random.below(300))", "v\(n)-\(random.below(1 << 30))")
            if n % 3 == 0 { try put("/bulk/\(n % 5)", "\(n)\(bulk)") }
            if n % 7 == 0 {
                _ = try client.request("DELETE", "/v2/keys/kept/\(random.below(300))")
            }
        }
        expected = try shown(by: client)
        process.kill(SIGKILL)
        process.wait()
        files = try Self.list(original)
        guard files.count(where: { $0.path.hasSuffix(".wal") }) >= 2,
            files.contains(where: { $0.path.hasSuffix(".ksnap") })
        else { throw ChaosFailure("the dir is too simple: \(files.map(\.path))") }
    }

    /// All keys but those that a start writes, with their indices, as one text.
    private func shown(by client: LoopbackHTTP) throws -> String {
        try ["kept", "bulk"].map { folder in
            let answer = try client.request(
                "GET", "/v2/keys/\(folder)?recursive=true&sorted=true&quorum=true")
            return "\(answer.status) \(answer.text)"
        }.joined(separator: "\n")
    }

    private static func list(_ path: String) throws -> [File] {
        guard let names = FileManager.default.enumerator(atPath: path) else {
            throw ChaosFailure("cannot list \(path)")
        }
        var files: [File] = []
        for case let name as String in names {
            guard let facts = facts("\(path)/\(name)"), facts.st_mode & S_IFMT == S_IFREG else {
                continue
            }
            let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)"))
            files.append(
                File(
                    path: name, size: bytes.count, bytesInUse: bytesInUse(bytes),
                    changedAt: facts.st_mtim.tv_sec &* 1_000_000_000 &+ facts.st_mtim.tv_nsec))
        }
        return files.sorted { $0.path < $1.path }
    }

    private static func facts(_ path: String) -> stat? {
        var facts = stat()
        return lstat(path, &facts) == 0 ? facts : nil
    }

    private static func bytesInUse(_ data: Data) -> Int {
        data.withUnsafeBytes { bytes in
            var end = bytes.count
            while end >= 8, bytes.loadUnaligned(fromByteOffset: end - 8, as: UInt64.self) == 0 {
                end -= 8
            }
            while end > 0, bytes[end - 1] == 0 { end -= 1 }
            return end
        }
    }

    // MARK: One trial

    private func run(_ damage: Damage, _ random: inout SplitMix64) throws -> Verdict {
        let copy = folder.path("copy")
        try? FileManager.default.removeItem(atPath: copy)
        try copyFiles(to: copy, damage)
        try damage.apply(to: copy, &random)
        let verdict = try judge(try start(copy))
        // What was recovered once is not lost at the next start.
        guard verdict == .recovered, random.chance(percent: 25) else { return verdict }
        return try judge(try start(copy))
    }

    /// Files that a start only reads are the originals, by another name; see `checkOriginals`.
    private func copyFiles(to copy: String, _ damage: Damage) throws {
        let manager = FileManager.default
        for folder in ["", "member", "member/wal", "member/snap"] {
            try manager.createDirectory(
                atPath: "\(copy)/\(folder)", withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        }
        let lastSegment = files.last { $0.path.hasSuffix(".wal") }?.path
        // Without its last segment a log ends with the one before, which a start prepares for more.
        let mayWriteAny = lastSegment.map { damage.concerns($0) } ?? true
        for file in files {
            let isSegment = file.path.hasSuffix(".wal") && file.path != lastSegment
            let isRead = file.path.hasSuffix(".ksnap") || (isSegment && !mayWriteAny)
            let (from, to) = ("\(original)/\(file.path)", "\(copy)/\(file.path)")
            if isRead, !damage.concerns(file.path) {
                try manager.linkItem(atPath: from, toPath: to)
            } else {
                try manager.copyItem(atPath: from, toPath: to)
            }
        }
    }

    /// No start has written into a file that is closed.
    private func checkOriginals() throws {
        let now = try? Self.list(original)
        guard now == files else {
            throw ChaosFailure("a start changed a closed file: \(files), now \(now ?? [])")
        }
    }

    private func judge(_ process: KvdProcess) throws -> Verdict {
        defer {
            process.kill(SIGKILL)
            process.wait()
        }
        var isServing = false
        try waitUntil("it serves or ends; its log:\n\(process.log)", within: Chaos.settlingTime) {
            guard process.isRunning else { return true }
            let answer = try? LoopbackHTTP(port: port).request(
                "PUT", "/v2/keys/_ready", form: "value=1")
            isServing = answer.map { $0.status < 300 } ?? false
            return isServing
        }
        guard isServing else { return judge(end: process.wait(), process.log) }
        let found = try shown(by: try LoopbackHTTP(port: port))
        guard found != expected else { return .recovered }
        return .silentLoss("it serves \(found.utf8.count) bytes, and not what it had")
    }

    /// What it does say must say what is wrong, and where.
    private func judge(end status: Int32, _ log: String) -> Verdict {
        let reasons = log.split(separator: "\n").filter { $0.contains(" C | ") }
        guard status == 1, let reason = reasons.last else {
            return .crashed("it ended with \(status): \(log.suffix(2000))")
        }
        guard reason.contains(folder.path("copy")), reason.utf8.count > 80 else {
            return .crashed("it says too little: \(reason)")
        }
        return .refused(String(reason))
    }

    /// A reason without what differs from trial to trial.
    private func general(_ reason: String) -> String {
        let text = reason.split(separator: "|", maxSplits: 1).last.map(String.init) ?? reason
        var general = ""
        for character in text.replacingOccurrences(of: folder.path("copy"), with: "DIR") {
            let isDigit = character.isHexDigit && !character.isLetter
            if isDigit, general.hasSuffix("#") { continue }
            general.append(isDigit ? "#" : character)
        }
        return general.trimmingCharacters(in: .whitespaces)
    }
}
