import FixtureSupport
import Foundation
import StorageIO
import Synchronization
import Testing

/// What both implementations of `FileStorage` must do alike.
@Suite struct FileStorageTests {
    @Test func posix() throws {
        let directory = try TemporaryDirectory()
        try exercise(PosixStorage(), in: directory.path)
    }

    @Test func simulated() throws {
        let storage = SimulatedStorage(seed: 1)
        try storage.createDirectory("/d")
        try exercise(storage, in: "/d")
    }

    private func exercise<IO: FileStorage>(_ storage: IO, in root: String) throws {
        try names(storage, root)
        try directories(storage, root)
        try bytes(storage, root)
        try errors(storage, root)
        try mapping(storage, root)
    }

    private func directories<IO: FileStorage>(_ storage: IO, _ root: String) throws {
        for path in ["\(root)/deep", "\(root)/deep/deeper/deepest", "\(root)/deep"] {
            try storage.createDirectories(path)
            #expect(try storage.kind(of: path) == .directory)
        }
        _ = try storage.open("\(root)/deep/file", for: .creating)
        #expect(throws: StorageError(.createDirectory, "\(root)/deep/file", code: ENOTDIR)) {
            try storage.createDirectories("\(root)/deep/file")
        }
    }

    private func names<IO: FileStorage>(_ storage: IO, _ root: String) throws {
        #expect(try storage.list(root) == [])
        try storage.createDirectory("\(root)/sub")
        for name in ["b", "a", "B"] { _ = try storage.open("\(root)/\(name)", for: .creating) }
        #expect(try storage.list(root) == ["B", "a", "b", "sub"])
        #expect(try storage.kind(of: "\(root)/sub") == .directory)
        #expect(try storage.kind(of: "\(root)/a") == .file)
        #expect(try storage.kind(of: "\(root)/nothing") == nil)
        try storage.rename("\(root)/a", to: "\(root)/b")
        try storage.remove("\(root)/B")
        try storage.syncDirectory(root)
        #expect(try storage.list(root) == ["b", "sub"])
    }

    private func bytes<IO: FileStorage>(_ storage: IO, _ root: String) throws {
        let file = try storage.open("\(root)/bytes", for: .replacing)
        try file.write([1, 2, 3], at: 0)
        try file.write([9], at: 5)
        #expect(try file.readAll() == [1, 2, 3, 0, 0, 9])
        #expect(try file.read(count: 10, at: 4) == [0, 9])
        #expect(try file.read(count: 10, at: 100) == [])
        try file.truncate(sizeBytes: 2)
        try file.preallocate(sizeBytes: 4)
        try file.sync()
        #expect(try file.readAll() == [1, 2, 0, 0])
        try file.preallocate(sizeBytes: 1)
        #expect(try file.sizeBytes() == 4)
        let again = try storage.open("\(root)/bytes", for: .creatingIfMissing)
        #expect(try again.sizeBytes() == 4)
        let emptied = try storage.open("\(root)/bytes", for: .replacing)
        #expect(try emptied.sizeBytes() == 0)
    }

    private func errors<IO: FileStorage>(_ storage: IO, _ root: String) throws {
        #expect(throws: StorageError(.open, "\(root)/none", code: ENOENT)) {
            try storage.open("\(root)/none", for: .reading)
        }
        #expect(throws: StorageError(.open, "\(root)/bytes", code: EEXIST)) {
            try storage.open("\(root)/bytes", for: .creating)
        }
        #expect(throws: StorageError(.createDirectory, "\(root)/sub", code: EEXIST)) {
            try storage.createDirectory("\(root)/sub")
        }
        #expect(throws: StorageError(.list, "\(root)/none", code: ENOENT)) {
            try storage.list("\(root)/none")
        }
        #expect(throws: StorageError(.remove, "\(root)/none", code: ENOENT)) {
            try storage.remove("\(root)/none")
        }
        let empty = try storage.open("\(root)/empty", for: .creating)
        #expect(throws: StorageError(.map, "\(root)/empty", code: EINVAL)) {
            try empty.map(sizeBytes: 4096)
        }
    }

    private func mapping<IO: FileStorage>(_ storage: IO, _ root: String) throws {
        let file = try storage.open("\(root)/mapped", for: .creating)
        try file.truncate(sizeBytes: 4096)
        let region = try file.map(sizeBytes: 4096)
        region.bytes[7] = 42
        #expect(try file.read(count: 2, at: 6) == [0, 42])
        #expect(try storage.bootID() == storage.bootID())
    }

    @Test func directoriesOfManyAtOnce() throws {
        let directory = try TemporaryDirectory()
        let storage = PosixStorage()
        for round in 0..<50 {
            let path = "\(directory.path)/\(round)/a/b/c"
            let failures = Mutex<[StorageError]>([])
            DispatchQueue.concurrentPerform(iterations: 8) { _ in
                do throws(StorageError) {
                    try storage.createDirectories(path)
                } catch {
                    failures.withLock { $0.append(error) }
                }
            }
            #expect(failures.withLock { $0 } == [])
            #expect(try storage.kind(of: path) == .directory)
        }
    }

    @Test func lockNamesItsHolder() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/LOCK"
        let storage = PosixStorage()
        var held: PosixFile? = try storage.lock(path)
        #expect(try held?.readAll() == Array("\(getpid())\n".utf8))
        let error = #expect(throws: StorageError.self) { try storage.lock(path) }
        #expect(error?.lockHolder == getpid())
        #expect(error?.description.contains("process \(getpid()) is using it") == true)
        held = nil
        // A process that another test is just starting has our descriptors until it runs.
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline, (try? storage.lock(path)) == nil { usleep(1000) }
        #expect(throws: Never.self) { _ = try storage.lock(path) }
    }

    /// Another process holds the lock: flock(1), until its standard input ends.
    @Test func lockOfAnotherProcess() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/LOCK"
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/flock")
        process.arguments = [
            path, "/bin/sh", "-c", "echo $$ > \(path); echo ready; read line",
        ]
        let input = Pipe()
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        #expect(output.fileHandleForReading.availableData == Data("ready\n".utf8))
        let error = #expect(throws: StorageError.self) { try PosixStorage().lock(path) }
        #expect(error?.isLocked == true)
        #expect(error?.lockHolder != nil && error?.lockHolder != getpid())
        try input.fileHandleForWriting.close()
        process.waitUntilExit()
        #expect(throws: Never.self) { _ = try PosixStorage().lock(path) }
    }

    @Test func everyErrnoHasASentenceAndAdvice() {
        for code: Int32 in 1...133 {
            for operation in StorageOperation.allCases {
                let error = StorageError(operation, "/p/f", code: code)
                #expect(error.description.hasPrefix("cannot \(operation.rawValue) /p/f: "))
                #expect(!error.advice.isEmpty && error.advice.hasSuffix("."))
            }
        }
        let full = StorageError(.write, "/p/f", code: ENOSPC)
        #expect(
            full.description == "cannot write /p/f: No space left on device (ENOSPC). "
                + "Free space on that file system, or move the data dir to a bigger one.")
        #expect(full.isOutOfSpace)
    }
}
