import Cluster
import RaftModel
import Testing

@testable import Discovery

/// A join driven by a made-up service.
struct JoinScript {
    static let url = "http://disc:2379/v2/keys/_etcd/registry/tok1"

    var join: DiscoveryJoin
    private(set) var notes: [DiscoveryNote] = []
    private(set) var action: DiscoveryJoin.Action
    let id: MemberID

    init(
        name: String = "d1", peer: String = "http://127.0.0.1:22821", mayResume: Bool = false
    ) throws {
        let url = try ServiceURL(Self.url)
        let registrant = DiscoveryJoin.Registrant(
            name: name, urls: [try EndpointURL(peer)], url: url, mayResume: mayResume)
        self.init(DiscoveryJoin(url, registrant: registrant), id: registrant.id)
    }

    /// One that only looks on.
    static func onlooker() throws -> JoinScript {
        JoinScript(DiscoveryJoin(try ServiceURL(url), registrant: nil), id: .none)
    }

    private init(_ join: DiscoveryJoin, id: MemberID) {
        self.join = join
        self.id = id
        let step = self.join.start()
        (notes, action) = (step.notes, step.action)
    }

    private mutating func take(_ step: DiscoveryJoin.Step) {
        notes += step.notes
        action = step.action
    }

    mutating func fail(_ problem: String = "connection refused") { take(join.failed(problem)) }
    mutating func resume() { take(join.resume()) }

    mutating func answer(_ json: String, status: Int = 200, index: Int = 9) {
        take(join.answered(status: status, storeIndex: "\(index)", body: Array(json.utf8)))
    }

    mutating func answer(size: String) {
        answer(
            #"{"action":"get","node":{"key":"/_etcd/registry/tok1/_config/size","value":"\#(size)"}}"#
        )
    }

    mutating func answer(error code: Int, _ message: String = "m", cause: String = "/c") {
        let json = #"{"errorCode":\#(code),"message":"\#(message)","cause":"\#(cause)","index":7}"#
        answer(json, status: code == 105 ? 412 : 404)
    }

    typealias Member = (id: String, value: String, index: Int)

    mutating func answer(members: [Member], index: Int) {
        let nodes = members.map(Self.node).joined(separator: ",")
        answer(
            #"{"action":"get","node":{"key":"/_etcd/registry/tok1","dir":true,"nodes":[\#(nodes)]}}"#,
            index: index)
    }

    mutating func answer(event action: String, _ member: Member) {
        answer(#"{"action":"\#(action)","node":\#(Self.node(member))}"#)
    }

    private static func node(_ member: Member) -> String {
        """
        {"key":"/_etcd/registry/tok1/\(member.id)","value":"\(member.value)",\
        "modifiedIndex":\(member.index),"createdIndex":\(member.index)}
        """
    }

    /// Up to and with the registration, in a token that others have used so far.
    mutating func register(size: Int = 3, others: [Member] = [], at index: Int = 5) {
        answer(size: "\(size)")
        answer(members: others, index: index - 1)
        answer(event: "create", own(index))
        // The answer to the watch of the own key.
        answer(event: "create", own(index))
        answer(size: "\(size)")
    }

    func own(_ index: Int) -> Member { ("\(id)", "d1=http://127.0.0.1:22821", index) }

    var texts: [String] { notes.map(\.text) }

    var outcome: DiscoveryJoin.Outcome? {
        guard case .finish(let outcome) = action else { return nil }
        return outcome
    }

    var fault: DiscoveryFault? {
        guard case .failed(let fault)? = outcome else { return nil }
        return fault
    }
}
