package import Cluster
package import RaftModel

/// What a member does with a discovery token, decided without I/O, clock or randomness.
///
///     size ▶ members ▶ register ▶ confirm ▶ size ▶ members ▶ next ▶ next … ▶ complete
///      │        │                                      │
///      │        ├ full, without having registered      └ full, others were quicker
///      │        └ registered by an earlier start of this data dir: on to the waiting
///      └ any failure of the server: a pause, then from the size on again
///
/// The first check is there so that a member that has come too late leaves no trace; the second
/// decides, by the order in which the keys were created. The answers may come from different members
/// of the service, hence `confirm`, which waits until the registration is seen where it is asked.
///
/// Beyond etcd: a PUT whose answer was lost is looked for instead of failing the start; a half
/// finished join is resumed; the wait sorts out events that are no member's; the pauses end at a
/// minute. Source: `reference/discovery.md` §2.
package struct DiscoveryJoin: Sendable {
    /// Who registers.
    package struct Registrant: Equatable, Sendable {
        package let id: MemberID
        package let name: String
        package let urls: [EndpointURL]
        /// This data dir has begun to register before, and has not become a member since.
        package let mayResume: Bool

        package init(name: String, urls: [EndpointURL], url: ServiceURL, mayResume: Bool) {
            precondition(!urls.isEmpty, "a member has a peer URL")
            self.name = name
            self.urls = urls.sorted()
            id = MemberID(peerURLs: urls.map(\.description), token: url.description)
            self.mayResume = mayResume
        }

        /// What is registered under the id.
        var value: String { urls.map { "\(name)=\($0)" }.joined(separator: ",") }
    }

    /// A question to the service.
    package enum Request: Equatable, Sendable {
        case size
        case members
        case register(MemberID, value: String)
        /// Returns when the server has this member's registration.
        case confirm(MemberID, index: UInt64)
        /// The first event of the token from `index` on.
        case next(index: UInt64)
    }

    package enum Outcome: Equatable, Sendable {
        case complete(InitialCluster)
        /// Others were quicker; these are they, as they registered.
        case full(InitialCluster?)
        case failed(DiscoveryFault)
    }

    package enum Action: Equatable, Sendable {
        case send(Request)
        /// Wait for so long, then `resume`.
        case pause(seconds: Int)
        case finish(Outcome)
    }

    package struct Step: Equatable, Sendable {
        package var notes: [DiscoveryNote] = []
        package var action: Action
    }

    private enum Phase { case first, second }

    private enum State {
        case idle
        case size(Phase)
        case members(Phase, size: Int)
        case registering
        case confirming
        case waiting(size: Int, found: [RegistryNode], index: UInt64)
        case pausing(Phase)
        case finished
    }

    static let pauseSecondsMax = 64
    private static let failuresBeforeHint = 3

    private let url: ServiceURL
    private let registrant: Registrant?
    private var state = State.idle
    private var failuresCount = 0
    /// A registration was sent and no answer came: it may be there.
    private var isRegistrationInDoubt = false

    /// - Parameter registrant: nil for a proxy, which looks on until the cluster is complete.
    package init(_ url: ServiceURL, registrant: Registrant?) {
        (self.url, self.registrant) = (url, registrant)
    }

    // MARK: - Events

    package mutating func start() -> Step {
        guard case .idle = state else { preconditionFailure("a join starts once") }
        return askSize(registrant == nil ? .second : .first)
    }

    /// The pause is over.
    package mutating func resume() -> Step {
        guard case .pausing(let phase) = state else {
            preconditionFailure("no pause was asked for")
        }
        return askSize(phase)
    }

    /// The server could not be reached, or ended the connection.
    package mutating func failed(_ problem: String) -> Step {
        let isWait: Bool
        switch state {
        case .idle, .pausing, .finished: preconditionFailure("nothing was asked")
        case .size(let phase), .members(let phase, _):
            (state, isWait) = (.pausing(phase), false)
        case .registering:
            isRegistrationInDoubt = true
            (state, isWait) = (.pausing(.first), false)
        case .confirming: (state, isWait) = (.pausing(.second), false)
        case .waiting: (state, isWait) = (.pausing(.second), true)
        }
        failuresCount += 1
        let seconds = min(1 << min(failuresCount, 16), Self.pauseSecondsMax)
        let step = isWait ? "waiting for other nodes" : "cluster status check"
        var notes = [
            DiscoveryNote(.error, "error #0: \(problem)"),
            DiscoveryNote(
                .info,
                "\(step): error connecting to \(url.description.quotedAsGo), retrying in "
                    + "\(seconds)s"),
        ]
        if failuresCount == Self.failuresBeforeHint { notes.append(hint) }
        return Step(notes: notes, action: .pause(seconds: seconds))
    }

    /// Said once for each time that the service is out of reach.
    private var hint: DiscoveryNote {
        DiscoveryNote(
            .warning,
            """
            still no answer from \(url.endpoint). It must be a discovery service, or a cluster that \
            runs already: a member that itself waits for this cluster to be formed answers nobody
            """)
    }

    package mutating func answered(status: Int, storeIndex: String?, body: [UInt8]) -> Step {
        let answer = RegistryAnswer(status: status, storeIndex: storeIndex, body: body)
        if case .unavailable(let problem) = answer { return failed("\(url): \(problem)") }
        failuresCount = 0
        switch state {
        case .idle, .pausing, .finished: preconditionFailure("nothing was asked")
        case .size(let phase): return took(size: answer, phase)
        case .members(let phase, let size): return took(members: answer, phase, size)
        case .registering: return took(registration: answer)
        case .confirming:
            // An error too: then the check that follows says what is wrong.
            return askSize(.second)
        case .waiting(let size, let found, let index):
            return took(event: answer, size, found, index)
        }
    }

    // MARK: - The steps

    private mutating func askSize(_ phase: Phase) -> Step {
        state = .size(phase)
        return Step(action: .send(.size))
    }

    private mutating func took(size answer: RegistryAnswer, _ phase: Phase) -> Step {
        guard case .node(_, let node, _, _) = answer else { return fail(answer) }
        guard let size = Int(node.value), size > 0 else { return finish(.sizeIsBad(node.value)) }
        state = .members(phase, size: size)
        return Step(action: .send(.members))
    }

    private mutating func took(
        members answer: RegistryAnswer, _ phase: Phase, _ size: Int
    ) -> Step {
        guard case .node(_, _, let children, let index) = answer else { return fail(answer) }
        let members = children.filter { !$0.name.hasPrefix("_") }
            .sorted { $0.createdIndex < $1.createdIndex }
        let places = Array(members.prefix(size))
        guard let registrant else { return wait(for: size, places, index) }
        let own = members.first { $0.name == "\(registrant.id)" }
        guard let own else {
            if members.count >= size { return finishFull(places) }
            return phase == .first ? register(registrant) : finish(.registrationLost)
        }
        var notes: [DiscoveryNote] = []
        if phase == .first {
            guard own.value == registrant.value else {
                return finish(.registeredOtherwise(value: own.value))
            }
            guard registrant.mayResume || isRegistrationInDoubt else {
                return finish(.previouslyRegistered)
            }
            if !isRegistrationInDoubt {
                notes = [
                    DiscoveryNote(
                        .notice,
                        "found the registration of an earlier start of this member, which was cut "
                            + "short: going on with it")
                ]
            }
        }
        guard places.contains(own) else { return finishFull(places) }
        var step = wait(for: size, places, index)
        step.notes = notes + step.notes
        return step
    }

    private mutating func register(_ registrant: Registrant) -> Step {
        state = .registering
        return Step(action: .send(.register(registrant.id, value: registrant.value)))
    }

    private mutating func took(registration answer: RegistryAnswer) -> Step {
        guard let registrant else { preconditionFailure("a proxy does not register") }
        switch answer {
        case .node(_, let node, _, _):
            state = .confirming
            return Step(action: .send(.confirm(registrant.id, index: node.createdIndex)))
        case .refusal(105, _, _, _):
            // It was not there a moment ago. Ours, if an earlier try went through unanswered.
            return isRegistrationInDoubt ? askSize(.first) : finish(.previouslyRegistered)
        default: return fail(answer)
        }
    }

    /// Waits until `size` members are known, of which `found` are already.
    private mutating func wait(for size: Int, _ found: [RegistryNode], _ index: UInt64) -> Step {
        let notes = found.map(note(of:))
        state = .waiting(size: size, found: found, index: index + 1)
        var step = goOn(size, found, index + 1)
        step.notes = notes + step.notes
        return step
    }

    private mutating func goOn(_ size: Int, _ found: [RegistryNode], _ index: UInt64) -> Step {
        guard found.count < size else {
            state = .finished
            return Step(
                notes: [DiscoveryNote(.notice, "found \(found.count) needed peer(s)")],
                action: .finish(Self.outcome(of: found, size: size)))
        }
        state = .waiting(size: size, found: found, index: index)
        let missing = size - found.count
        return Step(
            notes: [
                DiscoveryNote(
                    .notice, "found \(found.count) peer(s), waiting for \(missing) more")
            ], action: .send(.next(index: index)))
    }

    private mutating func took(
        event answer: RegistryAnswer, _ size: Int, _ found: [RegistryNode], _ index: UInt64
    ) -> Step {
        switch answer {
        case .nothing: return Step(action: .send(.next(index: index)))
        // The server's history does not reach back so far any more: look at what is there now.
        case .refusal(401, _, _, _): return askSize(.second)
        case .node(let action, let node, _, _):
            guard action != "delete", action != "expire", action != "compareAndDelete" else {
                return askSize(.second)
            }
            let isNew =
                node.isMember(ofToken: token) && !found.contains { $0.name == node.name }
            let next = max(index, node.modifiedIndex) + 1
            guard isNew else {
                state = .waiting(size: size, found: found, index: next)
                return Step(action: .send(.next(index: next)))
            }
            var step = goOn(size, found + [node], next)
            step.notes.insert(note(of: node), at: 0)
            return step
        default: return fail(answer)
        }
    }

    private var token: String {
        url.path.split(separator: "/").last.map(String.init) ?? ""
    }

    private func note(of node: RegistryNode) -> DiscoveryNote {
        let isSelf = registrant.map { "\($0.id)" == node.name } ?? false
        return DiscoveryNote(
            .notice, "found \(isSelf ? "self" : "peer") \(node.name) in the cluster")
    }

    // MARK: - Ends

    private mutating func fail(_ answer: RegistryAnswer) -> Step {
        switch answer {
        case .refusal(let code, let message, let cause, let index):
            finish(.refused(code: code, message: message, cause: cause, index: index))
        case .unknown(let problem): finish(.badEndpoint(problem))
        case .nothing, .node, .unavailable: finish(.badEndpoint("an answer to something else"))
        }
    }

    private mutating func finish(_ fault: DiscoveryFault) -> Step {
        state = .finished
        return Step(action: .finish(.failed(fault)))
    }

    private mutating func finishFull(_ places: [RegistryNode]) -> Step {
        state = .finished
        return Step(action: .finish(.full(try? InitialCluster(Self.text(of: places)))))
    }

    private static func text(of members: [RegistryNode]) -> String {
        members.map(\.value).joined(separator: ",")
    }

    private static func outcome(of members: [RegistryNode], size: Int) -> Outcome {
        let text = text(of: members)
        guard let cluster = try? InitialCluster(text) else { return .failed(.invalidURL(text)) }
        guard cluster.members.count == size else { return .failed(.duplicateName(text)) }
        guard cluster.duplicateURLs.isEmpty else {
            return .failed(.duplicateURL(cluster.description))
        }
        return .complete(cluster)
    }
}
