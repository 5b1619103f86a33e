import Storage
import StorageIO
import Testing

@Suite struct DataDirectoryNoteTests {
    @Test(arguments: DataDirectoryNote.allCases)
    func lastsOverAPowerCut(_ note: DataDirectoryNote) throws {
        let storage = SimulatedStorage(seed: 1)
        do {
            let directory = try DataDirectory.open("/d", storage: storage)
            #expect(try !directory.has(note))
            try directory.leave(note)
            try directory.leave(note)
        }
        storage.crash(keeping: .nothing)
        let directory = try DataDirectory.open("/d", storage: storage)
        #expect(try directory.has(note))
        try directory.remove(note)
        try directory.remove(note)
        #expect(try !directory.has(note))
    }

    @Test func aRegistrationIsRememberedOverAPowerCutAndForgotten() throws {
        let storage = SimulatedStorage(seed: 1)
        do {
            let directory = try DataDirectory.open("/d", storage: storage)
            #expect(try directory.registrationRecord() == nil)
            try directory.leaveRegistrationRecord("http://longer:1/token")
            try directory.leaveRegistrationRecord("http://d:1/t")
        }
        storage.crash(keeping: .nothing)
        let directory = try DataDirectory.open("/d", storage: storage)
        #expect(try directory.registrationRecord() == "http://d:1/t")
        try directory.removeRegistrationRecord()
        try directory.removeRegistrationRecord()
        #expect(try directory.registrationRecord() == nil)
    }
}
