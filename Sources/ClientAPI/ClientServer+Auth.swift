internal import Auth
internal import Cluster
internal import KVServer
internal import KeyStore
internal import Logging
internal import Logs
internal import NIOCore
internal import NIOHTTP1
internal import RaftModel

/// `/v2/auth/…`. Source: `reference/client-api.md` §11.
///
/// A change goes through the log, in one command or a few (`AuthPlan`). It is planned from the store
/// as it is after a linearizable read, on whichever member was asked, and its commands compare with
/// that: if another change came between, it is planned again.
///
///     .changesAuth ─▶ read ─▶ plan ─▶ hash, if there is a new password ─▶ plan
///                      ▲                                                   │ commands, one by one
///                      └──────────────── outdated ◀── Outcome ◀────────────┘
extension ClientServer {
    enum AuthPage { case users, roles, enabled }

    func auth(
        _ page: AuthPage, _ request: ClientRequest, _ target: RequestTarget, ticket: Ticket
    ) -> Handling {
        guard Capability.auth.isEnabled(clusterVersion: engine.clusterVersion) else {
            return .answer(
                message(
                    "Not capable of accessing auth feature during rolling upgrades.",
                    Answer(.internalServerError, .json)))
        }
        let isRead = request.head.method == .GET
        let isOpen = page == .enabled && isRead
        if !isOpen, let instead = checkRoot(request, ticket: ticket) { return instead }
        guard isRead else { return change(page, request, target, ticket: ticket) }
        guard engine.isReadable else { return waitForStore(ticket) }
        refreshGate()
        do throws(AuthFault) {
            body.append(try content(of: page, Self.name(in: target)))
            body.append("\n")
            return .answer(.json(.ok))
        } catch {
            return .answer(answer(to: error))
        }
    }

    private func content(
        of page: AuthPage, _ name: [UInt8]?
    ) throws(AuthFault) -> [UInt8] {
        let tree = engine.store.tree
        switch (page, name) {
        case (.enabled, _):
            return Array("{\"enabled\":\(try gate.directory.isEnabled(tree))}".utf8)
        case (.users, nil): return try gate.directory.usersPage(tree)
        case (.users, let name?): return try gate.directory.userPage(name, tree)
        case (.roles, nil): return try gate.directory.rolesPage(tree)
        case (.roles, let name?): return try gate.directory.rolePage(name, tree)
        }
    }

    /// The component after `/v2/auth/users` or `/v2/auth/roles`.
    private static func name(in target: RequestTarget) -> [UInt8]? {
        let parts = target.path.split(separator: UInt8(ascii: "/"))
        return parts.count > 3 ? Array(parts[3]) : nil
    }

    /// More than a name follows.
    func invalidAuthPath() -> Answer { message("Invalid path", Answer(.badRequest, .json)) }

    // MARK: - Changes

    private func change(
        _ page: AuthPage, _ request: ClientRequest, _ target: RequestTarget, ticket: Ticket
    ) -> Handling {
        do throws(AuthFault) {
            let change = PendingAuthChange(try self.change(page, request, Self.name(in: target)))
            engine.readLinearizably(ticket: ticket)
            gaveWork()
            return .changesAuth(change)
        } catch {
            return .answer(answer(to: error))
        }
    }

    private func change(
        _ page: AuthPage, _ request: ClientRequest, _ name: [UInt8]?
    ) throws(AuthFault) -> AuthChange {
        let isPut = request.head.method == .PUT
        guard page != .enabled else { return isPut ? .enable : .disable }
        guard let name else { preconditionFailure("the route table lets no such request through") }
        guard isPut else { return page == .users ? .deleteUser(name) : .deleteRole(name) }
        guard !request.isBodyTooLarge else { throw .bodyTooLarge }
        let body = request.body.map { Array($0.readableBytesView) } ?? []
        if page == .users {
            let user = try UserRequest(body: body)
            guard user.name == name else { throw .userNameDiffers }
            return .putUser(user)
        }
        let role = try Role(body: body)
        guard role.name == name else { throw .roleNameDiffers }
        return .putRole(role)
    }

    /// Goes on with a change after the engine has said something to it.
    ///
    /// - Returns: nil: it waits for the next thing.
    func proceed(
        _ pending: inout PendingAuthChange, _ outcome: Outcome, ticket: Ticket
    ) -> Answer? {
        body.removeAll()
        switch outcome {
        case .readable: return plan(&pending, ticket)
        case .applied: return nextStep(&pending, ticket)
        case .failed(let error) where error.code == .nodeExists && pending.mayExist:
            return nextStep(&pending, ticket)
        case .failed(let error) where AuthPlan.isOutdated(by: error.code):
            guard pending.attemptsLeft > 0 else { return internalError() }
            pending.attemptsLeft -= 1
            return plan(&pending, ticket)
        case .failed, .refused: return internalError()
        case .memberChange: preconditionFailure("no conf change was proposed")
        }
    }

    /// Goes on with the hash of its password.
    func proceed(
        _ pending: inout PendingAuthChange, hash: [UInt8], ticket: Ticket
    ) -> Answer? {
        body.removeAll()
        pending.hash = hash
        return plan(&pending, ticket)
    }

    private func plan(_ pending: inout PendingAuthChange, _ ticket: Ticket) -> Answer? {
        refreshGate()
        let outcome = AuthPlan.make(
            pending.change, hash: pending.hash, &gate.directory, engine.store.tree)
        switch outcome {
        case .ready(let plan):
            pending.end = .success(plan.answer)
            pending.steps = plan.steps[...]
            return propose(&pending, ticket)
        case .refused(let fault, let steps):
            pending.end = .failure(fault)
            pending.steps = steps[...]
            return propose(&pending, ticket)
        case .needsHash(let password):
            let isTaken = passwords.submit(.hash(password)) { [weak self] result in
                guard let self, case .hash(let hash) = result else { return }
                connection(at: ticket.connection)?.resume(hash: hash, number: ticket.request)
                flush()
            }
            return isTaken ? nil : busyAnswer()
        }
    }

    private func nextStep(_ pending: inout PendingAuthChange, _ ticket: Ticket) -> Answer? {
        pending.steps.removeFirst()
        return propose(&pending, ticket)
    }

    private func propose(_ pending: inout PendingAuthChange, _ ticket: Ticket) -> Answer? {
        if let step = pending.steps.first {
            step.command.withView { engine.propose($0, ticket: ticket) }
            gaveWork()
            return nil
        }
        switch pending.end {
        case .failure(let fault): return answer(to: fault)
        case .success(let end):
            authLog.notice("\(Self.note(on: pending.change))")
            if !end.body.isEmpty {
                body.append(end.body)
                body.append("\n")
            }
            return .json(end.isCreated ? .created : .ok)
        }
    }

    /// For the log of the member that was asked.
    private static func note(on change: AuthChange) -> String {
        func text(_ name: [UInt8]) -> String { String(decoding: name, as: UTF8.self) }
        return switch change {
        case .putUser(let user): "created or changed user \(text(user.name))"
        case .deleteUser(let name): "deleted user \(text(name))"
        case .putRole(let role): "created or changed role \(text(role.name))"
        case .deleteRole(let name): "deleted role \(text(name))"
        case .enable: "switched auth on"
        case .disable: "switched auth off"
        }
    }

    // MARK: - Answers

    func answer(to fault: AuthFault) -> Answer {
        body.append("{\"message\":")
        fault.message.withUnsafeBytes { body.append(jsonString: $0) }
        body.append("}")
        return .json(fault.kind.status)
    }
}

/// A change of users, roles or the switch, on its way through the log.
struct PendingAuthChange {
    let change: AuthChange
    var hash: [UInt8]?
    /// Those that are left; the first has been proposed.
    var steps: ArraySlice<AuthPlan.Step> = []
    /// What is answered after them.
    var end: Result<AuthPlan.Answer, AuthFault> = .success(AuthPlan.Answer())
    /// How often it may still be planned again.
    var attemptsLeft = 16

    init(_ change: AuthChange) { self.change = change }

    var mayExist: Bool { steps.first?.mayExist ?? false }
}

extension AuthFault.Kind {
    fileprivate var status: Status {
        switch self {
        case .badRequest: .badRequest
        case .forbidden: .forbidden
        case .notFound: .notFound
        case .conflict: .conflict
        case .unreadable: .internalServerError
        }
    }
}
