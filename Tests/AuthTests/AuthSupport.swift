import Auth
import KeyStore
import RaftModel
import State

/// A store that plans are carried out on, as the log would.
final class PlannedStore {
    let store = Store()
    var directory = AuthDirectory()

    /// Plans `change`, and carries the plan out.
    ///
    /// - Returns: the answer's text with its status, or the refusal's.
    @discardableResult
    func make(_ change: AuthChange) -> String {
        directory.forget()
        let hash = change.password.map { Array("hash of ".utf8) + $0 }
        switch AuthPlan.make(change, hash: hash, &directory, store.tree) {
        case .ready(let plan):
            carryOut(plan.steps)
            return (plan.answer.isCreated ? "201 " : "200 ") + text(plan.answer.body)
        case .refused(let fault, let steps):
            carryOut(steps)
            return "\(fault.kind) \(text(fault.message))"
        case .needsHash: return "a hash is wanted that was given"
        }
    }

    func putUser(_ json: String) -> String { request { .putUser(try UserRequest(body: $0)) }(json) }
    func putRole(_ json: String) -> String { request { .putRole(try Role(body: $0)) }(json) }

    private func request(
        _ read: @escaping ([UInt8]) throws -> AuthChange
    ) -> (String) -> String {
        { json in
            do { return self.make(try read(Array(json.utf8))) } catch let fault as AuthFault {
                return "\(fault.kind) \(text(fault.message))"
            } catch { return "\(error)" }
        }
    }

    func carryOut(_ steps: [AuthPlan.Step]) {
        for step in steps {
            do throws(StoreError) { try apply(step.command) } catch {
                precondition(step.mayExist && error.code == .nodeExists, "\(error)")
            }
        }
        directory.forget()
    }

    func apply(_ request: Request) throws(StoreError) {
        let result = request.withView { view -> Result<Void, StoreError> in
            guard let command = Command(view) else { preconditionFailure("a command of v2") }
            do throws(StoreError) {
                _ = try store.apply(command, now: 0)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// As a foreign data dir may have it.
    func put(_ path: String, _ value: String) {
        try? apply(
            Request(method: .put, path: Array(path.utf8), value: Array(value.utf8)))
        directory.forget()
    }

    func value(at path: String) -> String? {
        Array(path.utf8).withUnsafeBytes { path in
            (try? store.tree.node(at: path))?.withValue { String(decoding: $0, as: UTF8.self) }
        }
    }

    func allows(
        _ identity: AuthDirectory.Identity, _ key: String, write: Bool = false,
        recursive: Bool = false
    ) throws -> Bool {
        try Array(key.utf8).withUnsafeBytes { key in
            try directory.allows(
                identity, .init(key: key, isWrite: write, isRecursive: recursive), store.tree)
        }
    }
}

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
