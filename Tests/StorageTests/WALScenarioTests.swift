import FixtureSupport
import Foundation
import RaftModel
@testable import Storage
import StorageIO
import Testing

/// One case per file of `Fixtures/storage/wal`: what is done to a log, and what is in it then.
@Suite struct WALScenarioTests {
    @Test(arguments: DataDriven.files(in: "storage/wal"))
    func scenario(_ path: String) throws {
        let text = try Fixture.text(path)
        var world = try WALWorld()
        let result = try DataDriven.run(text) { command in try world.handle(command) }
        if DataDriven.isRewriting { try DataDriven.rewrite(path, result) }
        #expect(result == text)
    }

    @Test func thereAreEnough() {
        #expect(DataDriven.files(in: "storage/wal").count >= 15)
    }
}

/// A log and its disk, driven by commands.
struct WALWorld {
    private var fixture: LogFixture
    private var wal: WAL<SimulatedStorage>?

    init() throws { fixture = try LogFixture() }

    /// The commands:
    ///
    ///     create segment=BYTES max=N    a new log; of N files, released ones are kept
    ///     append 3..5 term=2 bytes=10 state=TERM,VOTE,COMMIT    entries and/or a state; no write
    ///     snapshot INDEX,TERM           a snapshot record
    ///     write | sync | idle | close   of the batch
    ///     prepare                       the next segment, if the log wants it
    ///     release INDEX                 what no snapshot after this index needs
    ///     capacity BYTES|none           of the disk
    ///     reserve                       a file for when the disk is full
    ///     kill | crash keep=nothing|everything
    ///     fail OPERATION nth=N errno=N  a fault to come
    ///     records [NAME]                the frames of a segment, the last one by default
    ///     files                         names and sizes
    ///     flip|zero|cut NAME BYTE [bit=N] [count=N]   rot; NAME is a segment's number
    ///     put NAME BYTE HEX             other bytes
    ///     delete NAME
    ///     read|recover [from=INDEX,TERM]   what a restart finds
    mutating func handle(_ command: DataDriven.Command) throws -> String {
        do {
            return try run(command)
        } catch let error as WALError {
            wal = nil
            return "error: \(error)".replacingOccurrences(of: ". ", with: ".\n  ")
        } catch let error as StorageError {
            return "error: \(error)"
        }
    }

    private mutating func run(_ command: DataDriven.Command) throws -> String {
        switch command.name {
        case "create":
            fixture.options.segmentBytes = Int(command.options["segment"] ?? "") ?? 8192
            fixture.options.segmentFilesMax = Int(command.options["max"] ?? "") ?? 5
            wal = try fixture.create()
        case "append": try append(command)
        case "snapshot": try wal?.append(Self.snapshot(command.words[0]))
        case "write": try wal?.write()
        case "sync": try wal?.sync()
        case "idle": try wal?.markIdle()
        case "close":
            try wal?.close()
            wal = nil
        case "prepare":
            guard let preparation = wal?.nextPreparation() else { return "not yet" }
            wal?.prepared(try preparation.run(), by: preparation)
        case "release": return release(through: UInt64(command.words[0]) ?? 0)
        case "capacity": fixture.storage.capacityBytes = Int(command.words[0])
        case "reserve":
            guard let job = wal?.nextReserve() else { return "not now" }
            let made = try? job.run()
            wal?.reserveMade(made != nil)
            return made == nil ? "no space" : ""
        case "kill":
            wal = nil
            fixture.storage.killProcess()
        case "crash":
            wal = nil
            let keep = command.options["keep"] ?? "nothing"
            fixture.storage.crash(keeping: keep == "nothing" ? .nothing : .everything)
        case "fail":
            let operation = StorageOperation(rawValue: command.words[0])
            let nth = Int(command.options["nth"] ?? "1") ?? 1
            let code = Int32(command.options["errno"] ?? "5") ?? 5
            fixture.storage.inject(StorageFault(operation, nth: nth, .fail(code)))
        case "records": return try records(try name(command.words.first))
        case "files": return try files()
        case "flip", "zero", "cut", "put", "delete": try rot(command)
        case "read":
            return describe(
                try LogReader.read(
                    LogFixture.directory, storage: fixture.storage, from: from(command)))
        case "recover":
            wal = nil
            let (wal, log) = try fixture.recover(from: from(command))
            self.wal = wal
            return describe(log)
        default: return "unknown command \(command.name)"
        }
        return ""
    }

    private func release(through index: UInt64) -> String {
        wal?.release(through: index)
        guard let job = wal?.nextRelease() else { return "nothing" }
        let outcome = job.run()
        wal?.released(outcome)
        return outcome.gone.map { gone in
            "\(gone.segment) \(gone.recycledPath == nil ? "removed" : "recycled")"
        }.joined(separator: "\n")
    }

    private func append(_ command: DataDriven.Command) throws {
        var entries: [Entry] = []
        if let range = command.words.first {
            let ends = range.components(separatedBy: "..").compactMap { UInt64($0) }
            entries = LogFixture.entries(
                ends[0]...(ends.last ?? ends[0]), term: UInt64(command.options["term"] ?? "1") ?? 1,
                bytes: Int(command.options["bytes"] ?? "10") ?? 10)
        }
        let state = command.options["state"].map { text in
            let parts = text.split(separator: ",").compactMap { UInt64($0) }
            return HardState(term: parts[0], vote: MemberID(parts[1]), commit: parts[2])
        }
        try wal?.append(hardState: state, entries: entries)
    }

    private static func snapshot(_ text: String) -> WALSnapshotRecord {
        let parts = text.split(separator: ",").compactMap { UInt64($0) }
        return WALSnapshotRecord(index: parts[0], term: parts[1])
    }

    private func from(_ command: DataDriven.Command) -> WALSnapshotRecord {
        command.options["from"].map { Self.snapshot($0) } ?? .none
    }

    /// A segment by its number, the last one without; else the word itself.
    private func name(_ word: String?) throws -> String {
        let names = try fixture.storage.list(LogFixture.directory)
            .filter { WALSegmentName($0) != nil }
        guard let word else { return names.last ?? "none" }
        return Int(word).map { names[$0] } ?? word
    }

    private func rot(_ command: DataDriven.Command) throws {
        let path = "\(LogFixture.directory)/\(try name(command.words[0]))"
        let byte = command.words.count > 1 ? Int(command.words[1]) ?? 0 : 0
        let count = Int(command.options["count"] ?? "1") ?? 1
        switch command.name {
        case "delete": try fixture.storage.remove(path)
        case "flip":
            fixture.storage.flipBit(
                Int(command.options["bit"] ?? "0") ?? 0, ofByte: byte, in: path)
        case "put":
            let exists = try fixture.storage.kind(of: path) != nil
            var bytes = exists ? fixture.storage.contents(of: path) : []
            let new = command.words[2].split(separator: ".").compactMap { UInt8($0, radix: 16) }
            bytes += repeatElement(0, count: max(0, byte + new.count - bytes.count))
            bytes.replaceSubrange(byte..<(byte + new.count), with: new)
            fixture.storage.replaceContents(of: path, with: bytes)
        default:
            var bytes = fixture.storage.contents(of: path)
            if command.name == "cut" {
                bytes.removeLast(bytes.count - byte)
            } else {
                for i in byte..<(byte + count) { bytes[i] = 0 }
            }
            fixture.storage.replaceContents(of: path, with: bytes)
        }
    }

    private func files() throws -> String {
        try fixture.storage.list(LogFixture.directory).map { name in
            let size = fixture.storage.contents(of: "\(LogFixture.directory)/\(name)").count
            return "\(name) \(size)"
        }.joined(separator: "\n")
    }

    private func records(_ name: String) throws -> String {
        let bytes = fixture.storage.contents(of: "\(LogFixture.directory)/\(name)")
        return try bytes.withUnsafeBytes { raw in
            var lines: [String] = []
            var offset = 0
            while case .frame(let frame) = WALFrame.read(.init(rebasing: raw[offset...])) {
                if let marker = WALMarker.decode(frame.data) {
                    lines.append(
                        "\(offset) marker segment=\(marker.sequence) at=\(marker.offset) "
                            + "durable=\(marker.durable) bytes=\(marker.bytes)")
                } else {
                    let line = try EtcdFixtureTests.line(frame, at: offset)
                    lines.append(
                        line.split(separator: " ").filter {
                            !$0.hasPrefix("crc=") && !$0.hasPrefix("dlen=")
                        }.joined(separator: " "))
                }
                offset += frame.sizeBytes
            }
            lines.append("\(offset) end")
            return lines.joined(separator: "\n")
        }
    }

    private func describe(_ log: RecoveredLog) -> String {
        let state = log.hardState
        var lines = [
            "entries \(Self.ranges(log.entries)), last \(log.lastIndex) of term \(log.lastTerm)",
            "state term=\(state.term) vote=\(state.vote) commit=\(state.commit)",
            "\(log.report.segmentCount) segments, \(log.report.recordCount) records, "
                + "\(log.report.bytes) bytes, by \(log.report.writer)"
                + (log.report.endsWithMarker ? ", marked" : ""),
        ]
        let named = log.snapshots.filter { $0.index > 0 }.map { "\($0.index),\($0.term)" }
        if !named.isEmpty { lines.append("snapshots " + named.joined(separator: " ")) }
        lines += log.report.notes(lastIndex: log.lastIndex)
        return lines.joined(separator: "\n")
    }

    /// `1..3@1 4..5@2`: indices by term.
    private static func ranges(_ entries: [Entry]) -> String {
        var parts: [(first: UInt64, last: UInt64, term: UInt64)] = []
        for entry in entries {
            if let last = parts.last, last.term == entry.term {
                parts[parts.count - 1].last = entry.index
            } else {
                parts.append((entry.index, entry.index, entry.term))
            }
        }
        return parts.isEmpty
            ? "none" : parts.map { "\($0.first)..\($0.last)@\($0.term)" }.joined(separator: " ")
    }
}
