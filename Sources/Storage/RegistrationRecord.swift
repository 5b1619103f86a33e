public import StorageIO

/// `member/discovery`: which registration with a discovery service this data dir is about to make, or
/// has made, without having become a member yet.
///
/// It is what lets a half-finished join be resumed. A registration alone proves nothing: its member
/// may have run, voted and lost its data. This file lies where the log would, is durable before
/// the registration is made, and goes when the log has its first entries: as long as it is there,
/// nothing was ever promised from this dir.
extension DataDirectory {
    private var registrationRecordPath: String { "\(memberPath)/discovery" }

    /// The text that was left, or nil.
    public func registrationRecord() throws(StorageError) -> String? {
        guard try storage.kind(of: registrationRecordPath) != nil else { return nil }
        let bytes = try storage.open(registrationRecordPath, for: .reading).readAll()
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Durable on return. Torn by a crash it is some other text, and is taken for none.
    public func leaveRegistrationRecord(_ text: String) throws(StorageError) {
        let file = try storage.open(registrationRecordPath, for: .replacing)
        try file.write(Array(text.utf8), at: 0)
        try file.sync()
        try storage.syncDirectory(memberPath)
    }

    public func removeRegistrationRecord() throws(StorageError) {
        guard try storage.kind(of: registrationRecordPath) != nil else { return }
        try storage.remove(registrationRecordPath)
        try storage.syncDirectory(memberPath)
    }
}
