import Cluster
import KeyStore
import RaftModel
import State
import StorageIO

/// Entries as clients, members and the leader's clock make them, drawn from a seed.
struct RandomState {
    private var random: SplitMix64
    private var time: Int64 = 1_700_000_000_000_000_000

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    static func make(seed: UInt64, commands: Int) -> MemberState {
        let state = MemberState()
        var random = RandomState(seed: seed)
        for number in 1...3 as ClosedRange<UInt64> { random.add(MemberID(number), state) }
        random.put(state, "/0/version", "2.3.0")
        random.put(
            state, StorePath.attributes(MemberID(2)),
            #"{"name":"m2","clientURLs":["http://10.0.0.2:2379"]}"#)
        for _ in 0..<commands { random.step(state) }
        return state
    }

    private func apply(_ request: Request, _ state: MemberState) {
        apply(Entry(term: 3, index: state.appliedIndex + 1, data: request.encoded()), state)
    }

    private func apply(_ entry: Entry, _ state: MemberState) {
        _ = state.apply(entry, monotonic: 0, wall: time)
    }

    mutating func put(_ state: MemberState, _ path: String, _ value: String) {
        apply(Request(method: .put, path: Array(path.utf8), value: Array(value.utf8)), state)
    }

    mutating func add(_ id: MemberID, _ state: MemberState) {
        let member = Member(id: id, peerURLs: ["http://10.0.0.\(id):2380"], name: "")
        let change = ConfChange(kind: .add, member: id, context: MemberJSON.context(member))
        apply(
            Entry(
                kind: .confChange, term: 3, index: state.appliedIndex + 1, data: change.encoded()),
            state)
    }

    mutating func remove(_ id: MemberID, _ state: MemberState) {
        let change = ConfChange(kind: .remove, member: id)
        apply(
            Entry(
                kind: .confChange, term: 3, index: state.appliedIndex + 1, data: change.encoded()),
            state)
    }

    mutating func step(_ state: MemberState) {
        time += Int64(random.below(1_000_000_000))
        var path = "/1"
        for _ in 0...random.below(3) {
            path += "/\(["a", "b", "_c", "dd", "eee"][random.below(5)])"
        }
        var request = Request(path: Array(path.utf8))
        request.value = Array(repeating: UInt8(random.below(256)), count: random.below(60))
        switch random.below(20) {
        case 0..<11: request.method = .put
        case 11..<13: request.method = .post
        case 13..<17:
            request.method = .delete
            request.recursive = random.below(2) == 0
            request.isDirectory = random.below(2) == 0
        case 17: request.method = .quorumGet
        default:
            request.method = .sync
            request.time = time
        }
        if request.method == .put {
            request.isDirectory = random.below(8) == 0
            if random.below(4) == 0 {
                request.expiration = time + Int64(random.below(9)) * 500_000_000
            }
            if random.below(8) == 0 { request.previousExists = random.below(2) == 0 }
            if random.below(12) == 0 { request.refresh = true }
        }
        if random.below(150) == 0 {
            return random.below(2) == 0
                ? remove(MemberID(UInt64(random.below(9)) + 1), state)
                : add(MemberID(UInt64(random.below(9)) + 4), state)
        }
        apply(request, state)
    }
}
