import ArgumentParser
import Fuzzing
import Glibc
import StorageIO

/// Works on a target in a process of its own, since a trap is the end of one, and tells how it ended.
struct Watch {
    private let command: KvdFuzz
    private let target: FuzzTarget
    private let seed: UInt64
    private let seconds: Int?

    init(_ command: KvdFuzz, _ target: FuzzTarget, seed: UInt64, seconds: Int?) {
        (self.command, self.target) = (command, target)
        (self.seed, self.seconds) = (seed, seconds)
    }

    /// False: a promise was broken.
    func run() throws -> Bool {
        try PosixStorage().createDirectories("\(command.keep)/corpus/\(target.name)")
        let record = command.recordPath(target)
        _ = unlink(record)
        let status = try start(arguments)
        if status == 0 { return true }
        let ending = status & 0x7f == 0 ? "" : "ended by signal \(status & 0x7f)"
        guard let input = try? FuzzTrial.recorded(record) else {
            command.say("\(target.name): \(ending.isEmpty ? "failed before any input" : ending)")
            return false
        }
        let path = "\(command.keep)/\(target.name)-\(CRC32C.of(input)).crash"
        try FuzzCorpus.write(input, to: path)
        if !ending.isEmpty { command.say("\(target.name): \(ending), at \(Self.text(of: input))") }
        command.say(
            """
            \(target.name): the input, of seed \(seed), is in \(path). Once more: \
            Scripts/fuzz --target \(target.name) --replay \(path)
            Mended, it belongs into \(command.corpus)/\(target.name).
            """)
        return false
    }

    private var arguments: [String] {
        var words = ["--in-process", "--target", target.name, "--seed", "\(seed)"]
        words += ["--corpus", command.corpus, "--keep", command.keep]
        if let runs = command.runs { words += ["--runs", "\(runs)"] }
        if let seconds { words += ["--seconds", "\(seconds)"] }
        if let replay = command.replay { words += ["--replay", replay] }
        if command.blind { words.append("--blind") }
        return words
    }

    /// Starts this program with `words`, and waits for its end.
    private func start(_ words: [String]) throws -> Int32 {
        let program = "/proc/self/exe"
        var argv = ([program] + words).map { strdup($0) }
        argv.append(nil)
        defer { argv.forEach { free($0) } }
        var pid: pid_t = 0
        let failure = posix_spawn(&pid, program, nil, nil, argv, environ)
        guard failure == 0 else {
            throw ValidationError(
                "\(program) cannot be started: \(String(cString: strerror(failure)))")
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            guard errno == EINTR else { throw ExitCode(1) }
        }
        return status
    }

    private static func text(of input: [UInt8]) -> String {
        let bytes = input.prefix(64).map { byte -> String in
            if byte >= 0x20, byte < 0x7f { return String(UnicodeScalar(byte)) }
            return "\\x\(byte < 16 ? "0" : "")\(String(byte, radix: 16))"
        }
        return "\(input.count) bytes: \(bytes.joined())\(input.count > 64 ? "…" : "")"
    }
}
