/// One kind of request that a run sends and accounts for on its own.
package enum Operation: Int, CaseIterable, Sendable {
    case put, get, quorumGet

    /// As on the command line and in JSON.
    package var name: String {
        switch self {
        case .put: "put"
        case .get: "get"
        case .quorumGet: "qget"
        }
    }
}

/// In which order keys are visited.
package enum KeyOrder: String, CaseIterable, Sendable { case sequential, random }

/// The endless sequence of (operation, key) of one worker, fixed by the seed.
///
/// Sequential keys are dealt out: worker `w` of `n` visits `w`, `w + n`, `w + 2n`, … modulo the
/// number of keys, so that together they visit each key once before any key twice.
package struct Workload: Sendable {
    private let operation: Operation
    /// Share of reads in `mixed`; nil: every request is `operation`.
    private let readRatio: Double?
    private let keyCount: Int
    private let keyOrder: KeyOrder
    private let stride: Int
    private var nextSequential: Int
    private var random: SplitMix64

    package init(_ plan: BenchPlan, worker: Int, workerCount: Int) {
        precondition(plan.keyCount > 0 && worker >= 0 && worker < workerCount)
        operation = plan.kind.operation
        readRatio = plan.kind == .mixed ? plan.readRatio : nil
        keyCount = plan.keyCount
        keyOrder = plan.keyOrder
        stride = workerCount
        nextSequential = worker
        // Seeds of neighbouring workers are drawn, not counted up: SplitMix64 adds a constant to
        // its state, and sequences from close states would overlap.
        var seeds = SplitMix64(seed: plan.seed)
        var seed = seeds.next()
        for _ in 0..<worker { seed = seeds.next() }
        random = SplitMix64(seed: seed)
    }

    package mutating func next() -> (operation: Operation, key: Int) {
        var operation = operation
        if let readRatio { operation = random.nextUnit() < readRatio ? .get : .put }
        switch keyOrder {
        case .random:
            return (operation, random.next(below: keyCount))
        case .sequential:
            let key = nextSequential % keyCount
            nextSequential = (nextSequential + stride) % (keyCount * stride)
            return (operation, key)
        }
    }
}
