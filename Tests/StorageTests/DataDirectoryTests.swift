import FixtureSupport
import Foundation
import RaftModel
import Storage
import StorageIO
import Testing

@Suite struct DataDirectoryTests {
    @Test func makesWhatIsMissing() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/a/b/m1.etcd"
        let storage = PosixStorage()
        let data = try DataDirectory.open(path, storage: storage)
        #expect(try storage.list(path) == ["member"])
        #expect(try storage.list(data.memberPath) == ["LOCK", "snap", "wal"])
        #expect(try !data.hasWAL())
        #expect(try data.unknownNames() == [])
        for made in [path, data.memberPath, data.walPath, data.snapPath] {
            let mode = try FileManager.default.attributesOfItem(atPath: made)[.posixPermissions]
            #expect((mode as? NSNumber)?.intValue == 0o700, "\(made)")
        }
        let mode = try FileManager.default.attributesOfItem(
            atPath: "\(data.memberPath)/LOCK")[.posixPermissions]
        #expect((mode as? NSNumber)?.intValue == 0o600)
        withExtendedLifetime(data) {}
    }

    @Test func logMayLiveElsewhere() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/m1.etcd"
        let data = try DataDirectory.open(
            path, storage: PosixStorage(), walPath: "\(directory.path)/fast/wal")
        #expect(data.walPath == "\(directory.path)/fast/wal")
        #expect(try PosixStorage().list(data.memberPath) == ["LOCK", "snap"])
    }

    @Test func knowsAMemberByItsLog() throws {
        let storage = SimulatedStorage(seed: 1)
        let data = try DataDirectory.open("/m1.etcd", storage: storage)
        storage.replaceContents(of: "\(data.walPath)/0000000000000000.tmp", with: [])
        #expect(try !data.hasWAL())
        storage.replaceContents(of: "\(data.walPath)/junk", with: [])
        #expect(try data.hasWAL())
        storage.replaceContents(of: "/m1.etcd/stray", with: [])
        #expect(try data.unknownNames() == ["stray"])
    }

    @Test func secondOpenerLearnsWhoHasIt() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/m1.etcd"
        let first = try DataDirectory.open(path, storage: PosixStorage())
        let error = #expect(throws: DataDirectoryError.self) {
            try DataDirectory.open(path, storage: PosixStorage())
        }
        #expect(error?.code == .inUse(processID: getpid()))
        #expect(error?.description.contains("is in use by process \(getpid())") == true)
        withExtendedLifetime(first) {}
    }

    @Test func refusesWhatIsNoMembers() throws {
        let storage = SimulatedStorage(seed: 1)
        for name in [
            "both/member/x", "both/proxy/x", "proxy/proxy/cluster", "old/wal/x",
            "old/snap/x", "file",
        ] {
            storage.replaceContents(of: "/\(name)", with: [])
        }
        let expected: [(String, DataDirectoryError.Code)] = [
            ("/both", .memberAndProxy), ("/proxy", .isProxy), ("/old", .tooOld),
            ("/file", .notADirectory),
        ]
        for (path, code) in expected {
            let error = #expect(throws: DataDirectoryError.self) {
                try DataDirectory.open(path, storage: storage)
            }
            #expect(error == DataDirectoryError(code, path: path))
        }
        #expect(
            DataDirectoryError(.memberAndProxy, path: "/both").description.hasPrefix(
                "invalid datadir. Both member and proxy directories exist."))
        #expect(try storage.list("/old") == ["snap", "wal"])
    }

    @Test func inspectChangesNothing() throws {
        let storage = SimulatedStorage(seed: 1)
        storage.replaceContents(of: "/m/member/wal/x", with: [])
        storage.replaceContents(of: "/e/other", with: [])
        storage.replaceContents(of: "/p/proxy/cluster", with: [])
        storage.trace = []
        #expect(try DataDirectoryKind.inspect("/m", storage: storage) == .member)
        #expect(try DataDirectoryKind.inspect("/e", storage: storage) == .empty)
        #expect(try DataDirectoryKind.inspect("/p", storage: storage) == .proxy)
        #expect(try DataDirectoryKind.inspect("/none", storage: storage) == .empty)
        let operations = Set((storage.trace ?? []).map(\.operation))
        #expect(operations.isSubset(of: [.inspect, .list]))
    }

    /// Every call that opening makes fails once; each time the message names a path and a way.
    @Test(arguments: [EACCES, EROFS, ENOSPC, EIO])
    func everyCallFails(code: Int32) throws {
        var call = 1
        while true {
            let storage = SimulatedStorage(seed: 1)
            storage.inject(StorageFault(nth: call, .fail(code)))
            do {
                _ = try DataDirectory.open("/m1.etcd", storage: storage)
                break
            } catch {
                #expect(error.description.hasPrefix("data dir /m1.etcd: cannot "))
                #expect(error.description.hasSuffix(error.advice))
            }
            storage.removeFaults()
            #expect(throws: Never.self) {
                _ = try DataDirectory.open("/m1.etcd", storage: storage)
            }
            call += 1
        }
        #expect(call > 15)
    }

    /// Once `open` has returned the dir is there whatever happens.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func isDurable(seed: UInt64) throws {
        let storage = SimulatedStorage(seed: seed)
        _ = try DataDirectory.open("/m1.etcd", storage: storage)
        storage.crash()
        #expect(try storage.kind(of: "/m1.etcd/member/wal") == .directory)
        #expect(try storage.kind(of: "/m1.etcd/member/snap") == .directory)
    }

    @Test func everyErrorSaysWhatToDo() {
        let codes: [DataDirectoryError.Code] = [
            .memberAndProxy, .isProxy, .tooOld, .inUse(processID: 3), .inUse(processID: nil),
            .notADirectory, .storage(StorageError(.open, "/x", code: EACCES)),
        ]
        for code in codes {
            let error = DataDirectoryError(code, path: "/x")
            #expect(error.advice.hasSuffix(".") && error.description.hasSuffix(error.advice))
        }
    }
}
