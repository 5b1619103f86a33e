internal import Auth
internal import KVServer
internal import KeyStore
internal import Logging
internal import Logs
internal import NIOCore
internal import NIOHTTP1

/// Lets requests through, or does not. Source: `reference/client-api.md` §11.
///
/// Each check gives nil, and the request goes on; or what becomes of it instead. One that has to
/// wait is handled from its beginning again afterwards.
extension ClientServer {
    /// - Parameter key: what follows `/v2/keys` in the path.
    func checkKeys(
        _ request: ClientRequest, key: UnsafeRawBufferPointer, _ keys: KeysRequest, ticket: Ticket
    ) -> Handling? {
        let access = AuthDirectory.KeyAccess(
            key: key, isWrite: !keys.method.isRead, isRecursive: keys.isRecursive)
        do throws(AuthRefusal) {
            return try check(request, ticket) { identity throws(AuthFault) in
                guard try gate.directory.allows(identity, access, engine.store.tree) else {
                    return false
                }
                if keys.operation == .watch {
                    gate.watchAccess = WatchAccess(
                        identity: identity, key: Array(key), isRecursive: keys.isRecursive)
                }
                return true
            }
        } catch {
            return .answer(keysAnswer(to: error))
        }
    }

    /// For what only the role root may do.
    func checkRoot(_ request: ClientRequest, ticket: Ticket) -> Handling? {
        if engine.authRevision == gate.openRevision { return nil }
        do throws(AuthRefusal) {
            return try check(request, ticket) { identity throws(AuthFault) in
                try gate.directory.isRoot(identity, engine.store.tree)
            }
        } catch {
            return .answer(answer(to: error))
        }
    }

    private func check(
        _ request: ClientRequest, _ ticket: Ticket,
        _ allows: (AuthDirectory.Identity) throws(AuthFault) -> Bool
    ) throws(AuthRefusal) -> Handling? {
        gate.watchAccess = nil
        // After a restart the store may not have come yet to where auth was switched on.
        guard engine.isReadable else { return waitForStore(ticket) }
        refreshGate()
        switch gate.mode {
        case .off:
            gate.openRevision = gate.revision
            return nil
        case .unreadable(let fault): throw .unreadable(fault)
        case .on: break
        }
        guard let identity = try identify(request, ticket) else { return .waitsForCheck }
        let isAllowed: Bool
        do throws(AuthFault) { isAllowed = try allows(identity) } catch {
            throw .unreadable(error)
        }
        guard isAllowed else { throw .denied }
        return nil
    }

    func waitForStore(_ ticket: Ticket) -> Handling {
        engine.whenReadable(ticket: ticket)
        gaveWork()
        return .waitsForStore
    }

    /// Nil: it is being found out.
    private func identify(
        _ request: ClientRequest, _ ticket: Ticket
    ) throws(AuthRefusal) -> AuthDirectory.Identity? {
        let header = request.head.headers.first(name: "Authorization") ?? ""
        if header.isEmpty { return .guest }
        guard let credentials = BasicCredentials(header: header) else { throw .denied }
        let hash: [UInt8]?
        do throws(AuthFault) {
            hash = try gate.directory.user(credentials.name, engine.store.tree)?.value.passwordHash
        } catch {
            throw .unreadable(error)
        }
        switch verdict(on: credentials, hash, request.checked) {
        case .right:
            guard let hash else { preconditionFailure("nobody's password is right") }
            return .user(credentials.name, hash: hash)
        case .wrong: throw .denied
        case .mustWait(let seconds): throw .mustWait(seconds: seconds)
        case .unknown(let fingerprint):
            try find(out: fingerprint, credentials, hash, for: ticket)
            return nil
        }
    }

    private func verdict(
        on credentials: BasicCredentials, _ hash: [UInt8]?, _ checked: CheckedCredentials?
    ) -> CredentialCache.Verdict {
        // It waited for this; but the entry may have changed meanwhile.
        if let checked, checked.hash == hash { return checked.isRight ? .right : .wrong }
        return gate.cache.verdict(
            of: credentials, hash: hash, now: Self.monotonicNanoseconds())
    }

    private func find(
        out fingerprint: CredentialCache.Fingerprint, _ credentials: BasicCredentials,
        _ hash: [UInt8]?, for ticket: Ticket
    ) throws(AuthRefusal) {
        guard gate.waiting[fingerprint]?.append(ticket) == nil else { return }
        let isTaken = passwords.submit(.check(credentials.password, against: hash)) {
            [weak self] result in
            guard let self, case .isRight(let isRight) = result else { return }
            gate.cache.settle(
                fingerprint, of: credentials.name, hash: hash, isRight: isRight,
                now: Self.monotonicNanoseconds())
            if !isRight {
                let name = String(decoding: credentials.name, as: UTF8.self)
                authLog.warning("wrong password, or no such user: \(name)")
            }
            let checked = CheckedCredentials(hash: hash, isRight: isRight)
            for ticket in gate.waiting.removeValue(forKey: fingerprint) ?? [] {
                connection(at: ticket.connection)?.resume(checked, number: ticket.request)
            }
            flush()
        }
        guard isTaken else { throw .busy }
        gate.waiting[fingerprint] = [ticket]
    }

    // MARK: - Changes

    /// Takes in what has been changed below `/2` since the last time.
    func refreshGate() {
        guard gate.revision != engine.authRevision else { return }
        gate.revision = engine.authRevision
        gate.directory.forget()
        do throws(AuthFault) {
            let isOn = try gate.directory.isEnabled(engine.store.tree)
            note(isOn ? .on : .off)
        } catch {
            note(.unreadable(error))
        }
    }

    /// Ends the watches that are over for who opened them. Only `deliver` calls it, before it hands
    /// out events, and never within the handling of a request: what ends may start another one.
    func recheckWatches() {
        refreshGate()
        gate.watchesRevision = gate.revision
        endWatches { !mayGoOn($0) }
    }

    private func note(_ mode: AuthGate.Mode) {
        switch (gate.mode, mode) {
        case (.off, .off), (.on, .on): break
        case (_, .on): authLog.notice("auth is on")
        case (_, .off): authLog.notice("auth is off")
        case (_, .unreadable(let fault)):
            authLog.error(
                "no request is answered: \(String(decoding: fault.message, as: UTF8.self))")
        }
        gate.mode = mode
    }

    /// - Parameter access: nil: the watch was opened while auth was off, by nobody knows whom.
    private func mayGoOn(_ access: WatchAccess?) -> Bool {
        if case .off = gate.mode { return true }
        guard case .on = gate.mode, let access else { return false }
        return access.key.withUnsafeBytes { key in
            let isAllowed = try? gate.directory.allows(
                access.identity, .init(key: key, isWrite: false, isRecursive: access.isRecursive),
                engine.store.tree)
            return isAllowed ?? false
        }
    }

    // MARK: - Answers

    private func keysAnswer(to refusal: AuthRefusal) -> Answer {
        switch refusal {
        case .denied: return keysError(.unauthorized, cause: AuthGate.deniedText, index: 0)
        case .mustWait(let seconds):
            var answer = keysError(.unauthorized, cause: Self.text(seconds), index: 0)
            answer.status = .tooManyRequests
            return answer
        case .busy:
            var answer = keysError(.raftInternal, cause: busyText, index: 0)
            answer.status = .serviceUnavailable
            return answer
        case .unreadable(let fault):
            return keysError(
                .raftInternal, cause: String(decoding: fault.message, as: UTF8.self), index: 0)
        }
    }

    private func answer(to refusal: AuthRefusal) -> Answer {
        switch refusal {
        case .denied: message(text: AuthGate.deniedText, Answer(.unauthorized, .json))
        case .mustWait(let seconds):
            message(text: Self.text(seconds), Answer(.tooManyRequests, .json))
        case .busy: busyAnswer()
        case .unreadable(let fault): answer(to: fault)
        }
    }

    func busyAnswer() -> Answer { message(text: busyText, .json(.serviceUnavailable)) }

    private static func text(_ seconds: Int) -> String {
        "auth: too many wrong passwords for this user; try again in \(seconds) s"
    }

    private var busyText: String {
        "auth: \(configuration.passwordsWaitingMax) passwords wait to be checked already; "
            + "try again with a pause"
    }
}
