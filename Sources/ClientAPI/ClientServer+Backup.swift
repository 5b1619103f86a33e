internal import KVServer

/// `GET /v2/admin/backup`: a snapshot file of this member's state as it is now, streamed.
///
///     HTTP/1.1 200 OK
///     Content-Type: application/octet-stream
///     X-Etcd-Cluster-Id: 7e27652122e8b2ae
///     X-Etcd-Index: 4
///     X-Raft-Index: 5
///     X-Raft-Term: 2
///     X-Kvd-Content-Hash: 09c3e5f0a1b2c3d4
///     Content-Disposition: attachment; filename="0000000000000002-0000000000000005.ksnap"
///     Transfer-Encoding: chunked
///
/// The file says itself whether it is whole; so does the last chunk, which never comes if the
/// backup fails. The path is kvd's own: an etcd answers 404. With auth it is for the role root: a
/// backup has everything in it, and the hashes of all passwords.
extension ClientServer {
    func backup(_ request: ClientRequest, ticket: Ticket) -> Handling {
        if let instead = checkRoot(request, ticket: ticket) { return instead }
        guard let backupProvider else {
            return .answer(
                message("This member makes no backups.", .json(.notImplemented)))
        }
        guard !isBackupRunning else {
            return .answer(
                message(
                    "A backup of this member is being made already; try again when it is done.",
                    .json(.serviceUnavailable)))
        }
        guard let stream = backupProvider.makeBackup() else {
            return .answer(
                message(
                    "This member has no state yet to make a backup of; try again later.",
                    .json(.serviceUnavailable)))
        }
        isBackupRunning = true
        let facts = stream.facts
        var answer = Answer.keys(
            .ok, storeIndex: facts.storeIndex,
            at: AppliedAt(raftIndex: facts.index, raftTerm: facts.term))
        answer.contentType = .bytes
        answer.extraLines = Self.lines(facts)
        return .stream(
            BodyOpening(answer: answer, stream: stream) { [self] in isBackupRunning = false })
    }

    private static func lines(_ facts: BackupFacts) -> [UInt8] {
        var lines = ByteWriter(capacity: 160)
        lines.append("X-Kvd-Content-Hash: ")
        lines.append(fullHex: facts.contentHash)
        lines.append("\r\nContent-Disposition: attachment; filename=\"")
        lines.append(fullHex: facts.term)
        lines.append("-")
        lines.append(fullHex: facts.index)
        lines.append(".ksnap\"\r\n")
        return Array(lines.bytes)
    }
}

extension ByteWriter {
    /// All 16 digits.
    fileprivate mutating func append(fullHex number: UInt64) {
        let digits = String(number, radix: 16)
        append(text: String(repeating: "0", count: 16 - digits.count) + digits)
    }
}
