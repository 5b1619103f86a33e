import RaftModel

/// A random value of every type, extremes and empties included.
protocol RandomValue {
    static func random(_ random: inout SplitMix64) -> Self
}

extension SplitMix64 {
    fileprivate mutating func member() -> MemberID { MemberID(integer()) }

    /// Up to `most` random values, often none.
    fileprivate mutating func several<T: RandomValue>(_ most: Int) -> [T] {
        (0..<(coin() ? 0 : below(most + 1))).map { _ in T.random(&self) }
    }
}

extension Entry: RandomValue {
    static func random(_ random: inout SplitMix64) -> Entry {
        Entry(
            kind: random.coin() ? .normal : .confChange, term: random.integer(),
            index: random.integer(), data: random.bytes())
    }
}

extension HardState: RandomValue {
    static func random(_ random: inout SplitMix64) -> HardState {
        HardState(term: random.integer(), vote: random.member(), commit: random.integer())
    }
}

extension ConfState: RandomValue {
    static func random(_ random: inout SplitMix64) -> ConfState {
        ConfState(members: (0..<random.below(10)).map { _ in random.member() })
    }
}

extension SnapshotMetadata: RandomValue {
    static func random(_ random: inout SplitMix64) -> SnapshotMetadata {
        SnapshotMetadata(
            confState: .random(&random), index: random.integer(), term: random.integer())
    }
}

extension Snapshot: RandomValue {
    static func random(_ random: inout SplitMix64) -> Snapshot {
        Snapshot(data: random.bytes(), metadata: .random(&random))
    }
}

extension Message: RandomValue {
    static func random(_ random: inout SplitMix64) -> Message {
        let snapshot = random.coin() ? nil : Snapshot.random(&random)
        return Message(
            random.pick(Kind.allCases), to: random.member(), from: random.member(),
            term: random.integer(), logTerm: random.integer(), index: random.integer(),
            entries: random.several(6), commit: random.integer(),
            // An empty one is read as none.
            snapshot: snapshot == Snapshot() ? nil : snapshot, reject: random.coin(),
            rejectHint: random.integer(), context: random.coin() ? [] : random.bytes())
    }
}

extension ConfChange: RandomValue {
    static func random(_ random: inout SplitMix64) -> ConfChange {
        ConfChange(
            id: random.integer(), kind: random.pick([.add, .remove, .update]),
            member: random.member(), context: random.bytes())
    }
}

extension Request: RandomValue {
    static func random(_ random: inout SplitMix64) -> Request {
        let flags: [Bool?] = [nil, false, true]
        var request = Request(
            id: random.integer(), method: random.pick([.put, .post, .delete, .quorumGet, .sync]),
            path: random.bytes(), value: random.bytes())
        request.isDirectory = random.coin()
        request.previousValue = random.coin() ? [] : random.bytes()
        request.previousIndex = random.integer()
        request.previousExists = random.pick(flags)
        request.expiration = Int64(bitPattern: random.integer())
        request.wait = random.coin()
        request.since = random.integer()
        request.recursive = random.coin()
        request.sorted = random.coin()
        request.quorum = random.coin()
        request.time = Int64(bitPattern: random.integer())
        request.stream = random.coin()
        request.refresh = random.pick(flags)
        return request
    }
}
