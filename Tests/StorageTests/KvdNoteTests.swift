import RaftModel
import Storage
import StorageIO
import Testing

@Suite struct KvdNoteTests {
    private let owner = WALMetadata(memberID: MemberID(7), clusterID: ClusterID(0xc1))

    private func note(_ ids: UInt64...) -> KvdNote {
        KvdNote(owner: owner, members: Set(ids.map { MemberID($0) }))
    }

    @Test func itsBytesAreAsDrawn() {
        let bytes = note(0x0201, 1).encoded
        #expect(bytes.count == 32 + 16 + 4)
        #expect(bytes.starts(with: Array("kvd kvds".utf8)))
        #expect(Array(bytes[8..<32]) == [7] + zeros(7) + [0xc1] + zeros(7) + [2] + zeros(7))
        #expect(Array(bytes[32..<48]) == [1] + zeros(7) + [1, 2] + zeros(6))
        let crc = CRC32C.of(Array(bytes[..<48]))
        #expect(bytes[48...].elementsEqual(withUnsafeBytes(of: crc.littleEndian) { Array($0) }))
        #expect(KvdNote(bytes) == note(1, 0x0201))
        #expect(KvdNote(note().encoded) == note())
    }

    private func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

    @Test func noByteOfItMayBeAnother() {
        let bytes = note(1, 2, 3).encoded
        for place in bytes.indices {
            var wounded = bytes
            wounded[place] ^= 0x10
            #expect(KvdNote(wounded) == nil, "byte \(place)")
            #expect(KvdNote(Array(bytes[..<place])) == nil, "cut at \(place)")
        }
        #expect(KvdNote(bytes + [0]) == nil)
    }

    /// A crash in any call that replaces it leaves the old one or the new one.
    @Test func aCrashLeavesOneOrTheOther() throws {
        for call in 1...12 {
            let storage = SimulatedStorage(seed: UInt64(call))
            do {
                let directory = try DataDirectory.open("/d", storage: storage)
                #expect(try directory.kvdNote() == .none)
                try directory.leave(note(1, 2))
                storage.inject(StorageFault(nth: call, .powerFailure))
                try? directory.leave(note(1))
            }
            storage.removeFaults()
            storage.crash(keeping: .any)
            let directory = try DataDirectory.open("/d", storage: storage)
            let found = try directory.kvdNote()
            #expect(found == .note(note(1, 2)) || found == .note(note(1)), "\(call): \(found)")
        }
    }

    @Test func whatIsNoNoteIsSeenAsDamaged() throws {
        let storage = SimulatedStorage(seed: 1)
        let directory = try DataDirectory.open("/d", storage: storage)
        storage.replaceContents(of: directory.kvdNotePath, with: Array("kvds: all of them".utf8))
        #expect(try directory.kvdNote() == .damaged)
        try directory.leave(note(4))
        #expect(try directory.kvdNote() == .note(note(4)))
    }
}
