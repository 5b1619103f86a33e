import ProcessSupport

/// Whether the members' figures stayed what they were. Judged is the second half of a run: the median
/// of its last quarter beside that of its first.
package struct Verdict: Sendable {
    package struct Row: Sendable {
        package var name: String
        package var first: Double
        package var last: Double
        /// What `last` may be at most.
        package var limit: Double
        package var unit: String

        package var isMissed: Bool { last > limit }
    }

    package private(set) var rows: [Row] = []

    package var isMissed: Bool { rows.contains(where: \.isMissed) }

    /// Of memory.
    package static let growthMax = 0.05
    /// Nine clients move from member to member, and a leader has streams that others do not have. What
    /// leaks in an hour of restarts and backups is far more.
    package static let descriptorsMoreMax = 12.0
    package static let threadsMoreMax = 3.0

    /// The log's segments: `--max-wals` of them, one being prepared, the reserve, and those that are
    /// kept to be written over.
    static let segmentsMax = 5 + 4
    static let segmentBytes = 64_000_000
    /// `--max-snapshots`, and one being written.
    static let snapshotsMax = 5 + 1

    /// Of members that are restarted all the time: each life begins with less and ends with more, but
    /// what a life hands on to the next must not grow.
    package static let restartedGrowthMax = 0.5

    /// - Parameters:
    ///   - leftAlone: of one process, in the order of their times; as are those of each of the others.
    ///   - restarted: of the members that were restarted meanwhile.
    package init(
        leftAlone: [Sample], restarted: [[Sample]] = [], secondHalfFrom half: Double,
        to end: Double
    ) {
        let quarters = Quarters(half: half, end: end)
        guard let alone = quarters.of(leftAlone) else { return }
        addMemory("memory", alone, growthMax: Self.growthMax)
        add("descriptors", "", alone, { $0 + Self.descriptorsMoreMax }) {
            Double($0.footprint.descriptorCount)
        }
        add("threads", "", alone, { $0 + Self.threadsMoreMax }) {
            Double($0.footprint.threadCount)
        }
        addDisk("disk, at most", alone, leftAlone)
        for (place, samples) in restarted.enumerated() {
            guard let figures = quarters.of(samples) else { continue }
            addMemory("memory of m\(place + 1)", figures, growthMax: Self.restartedGrowthMax)
            addDisk("disk of m\(place + 1)", figures, samples)
        }
    }

    /// The first and the last quarter of the second half.
    private struct Quarters {
        var half: Double
        var end: Double

        func of(_ samples: [Sample]) -> (first: [Sample], last: [Sample])? {
            let quarter = (end - half) / 4
            let first = samples.filter { $0.seconds >= half && $0.seconds < half + quarter }
            let last = samples.filter { $0.seconds >= end - quarter }
            return first.isEmpty || last.isEmpty ? nil : (first, last)
        }
    }

    private mutating func add(
        _ name: String, _ unit: String, _ figures: (first: [Sample], last: [Sample]),
        _ limit: (Double) -> Double, _ value: (Sample) -> Double
    ) {
        let first = Self.median(figures.first.map(value))
        let last = Self.median(figures.last.map(value))
        rows.append(Row(name: name, first: first, last: last, limit: limit(first), unit: unit))
    }

    private mutating func addMemory(
        _ name: String, _ figures: (first: [Sample], last: [Sample]), growthMax: Double
    ) {
        add(name, "MiB", figures, { $0 * (1 + growthMax) }) {
            Double($0.footprint.residentBytes) / 1_048_576
        }
    }

    private mutating func addDisk(
        _ name: String, _ figures: (first: [Sample], last: [Sample]), _ samples: [Sample]
    ) {
        let snapshotBytes = samples.map(\.snapshotBytes).max() ?? 0
        let bound = Self.segmentsMax * Self.segmentBytes + Self.snapshotsMax * snapshotBytes
        rows.append(
            Row(
                name: name, first: Self.median(figures.first.map(\.diskMegabytes)),
                last: samples.map(\.diskMegabytes).max() ?? 0, limit: Double(bound) / 1e6,
                unit: "MB"))
    }

    /// Nothing could be judged if there are no rows.
    package var text: String {
        guard !rows.isEmpty else { return "no figures: the run was too short" }
        return rows.map { row in
            let name = row.name + String(repeating: " ", count: max(0, 14 - row.name.count))
            return "\(name) \(Self.short(row.first)) -> \(Self.short(row.last)) \(row.unit)"
                + " (limit \(Self.short(row.limit)))" + (row.isMissed ? "  MISSED" : "")
        }.joined(separator: "\n")
    }

    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    }

    static func short(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
}

extension Sample {
    var diskMegabytes: Double { Double(diskBytes) / 1e6 }
}
