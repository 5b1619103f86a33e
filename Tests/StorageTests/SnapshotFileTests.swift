import Foundation
import RaftModel
import StorageIO
import Testing

@testable import Storage

@Suite struct SnapshotFileTests {
    private static let block = 256 << 10

    @Test(arguments: [
        0, 1, 1000, block - 1, block, block + 1, 2 * block, (1 << 20) + 17, 5_000_000,
    ])
    func comesBackAsItWas(_ count: Int) throws {
        let fixture = try SnapshotFixture()
        let state = SnapshotFixture.state(count)
        let file = try fixture.write(state)
        #expect(file.name == SnapshotName(term: 3, index: 7, format: .kvd))
        #expect(file.stateBytes == UInt64(count))
        let reader = try fixture.snapshots.open(file.name)
        #expect(reader.header == SnapshotFixture.header())
        #expect(reader.fileBytes == file.fileBytes)
        #expect(try SnapshotFixture.read(reader) == state)
        #expect(try fixture.storage.list(SnapshotFixture.directory) == ["\(file.name)"])
    }

    @Test(arguments: [0, 1, SnapshotFormat.membersMax])
    func headersOfAnyNumberOfVoters(_ voters: Int) throws {
        let fixture = try SnapshotFixture()
        let header = SnapshotFixture.header(voters: voters)
        let file = try fixture.write([1, 2, 3], header)
        #expect(try fixture.snapshots.open(file.name).header == header)
    }

    @Test func everyTruncationIsFound() throws {
        let bytes = try SnapshotFixture.bytes(SnapshotFixture.state(3000))
        for count in 0..<bytes.count {
            #expect(throws: SnapshotError.self) {
                try SnapshotFixture.read(bytes: Array(bytes.prefix(count)))
            }
        }
        #expect(throws: SnapshotError.self) { try SnapshotFixture.read(bytes: bytes + [0]) }
    }

    @Test func everyFlippedBitIsFound() throws {
        let bytes = try SnapshotFixture.bytes(SnapshotFixture.state(1500))
        for position in bytes.indices {
            for bit in 0..<8 as Range<UInt8> {
                var damaged = bytes
                damaged[position] ^= 1 << bit
                do {
                    _ = try SnapshotFixture.read(bytes: damaged)
                    Issue.record("bit \(bit) of byte \(position) was not missed")
                } catch let error as SnapshotError {
                    #expect(error.isDamage || position == 16, "\(error)")
                }
            }
        }
    }

    /// Any bytes at all, and snapshots with a few bytes changed: an error, or what was written.
    @Test func readerNeverTraps() throws {
        var random = SplitMix64(seed: 20_261_127)
        let state = SnapshotFixture.state(2000)
        let bytes = try SnapshotFixture.bytes(state)
        let fixture = try SnapshotFixture()
        let path = "\(SnapshotFixture.directory)/x.ksnap"
        for round in 0..<20_000 {
            var damaged = bytes
            if round % 5 == 0 {
                damaged = (0..<Int(random.next() % 400)).map { _ in
                    UInt8(truncatingIfNeeded: random.next())
                }
                if round % 10 == 0 {
                    damaged.replaceSubrange(0..<min(24, damaged.count), with: bytes.prefix(24))
                }
            } else {
                for _ in 0...random.next() % 4 {
                    let place = Int(random.next() % UInt64(damaged.count))
                    switch random.next() % 3 {
                    case 0: damaged[place] = UInt8(truncatingIfNeeded: random.next())
                    case 1: damaged.remove(at: place)
                    default: damaged.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
                    }
                }
            }
            fixture.storage.replaceContents(of: path, with: damaged)
            guard
                let read = try? SnapshotFixture.read(SnapshotReader(path, storage: fixture.storage))
            else { continue }
            #expect(read == state && damaged == bytes, "round \(round) was taken for good")
        }
    }

    @Test func everyErrorSaysWhatToDo() {
        let damages: [SnapshotDamage] = [
            .notASnapshot, .headerChecksum, .version(9), .noTrailer, .length(expected: 1, found: 2),
            .frame("x"), .checksum(expected: 1, found: 2), .stateLength(expected: 1, found: 2),
            .otherSnapshot(term: 1, index: 2),
        ]
        for damage in damages {
            let error = SnapshotError(.damaged(damage), file: "/d/f", offsetBytes: 5)
            #expect("\(error)".hasPrefix("/d/f at byte 5: "))
            #expect(error.advice.hasSuffix("."))
        }
    }

    /// The command-line tool of LZ4 opens a snapshot as it is.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/lz4")))
    func isAnLZ4File() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let snapshots = SnapshotDirectory(folder.path, storage: PosixStorage())
        let state = SnapshotFixture.state(700_000)
        let writer = try snapshots.create(SnapshotFixture.header(), pace: .bytesPerSecond(1 << 30))
        try state.withUnsafeBytes { try writer.append($0) }
        let file = try writer.finish()
        #expect(try Self.run(["-t", file.path]).status == 0)
        let opened = try Self.run(["-dc", file.path])
        #expect(opened.status == 0)
        #expect(Array(opened.output) == state)
    }

    private static func run(_ arguments: [String]) throws -> (status: Int32, output: Data) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/lz4")
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, output)
    }
}
