import ProcessSupport

/// Whether a member's figures stayed what they were. Judged is the second half of a run: the median
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

    /// - Parameter samples: of one process, in the order of their times.
    package init(_ samples: [Sample], secondHalfFrom half: Double, to end: Double) {
        let quarter = (end - half) / 4
        let first = samples.filter { $0.seconds >= half && $0.seconds < half + quarter }
        let last = samples.filter { $0.seconds >= end - quarter }
        guard !first.isEmpty, !last.isEmpty else { return }
        func add(
            _ name: String, _ unit: String, _ limit: (Double) -> Double, _ value: (Sample) -> Double
        ) {
            let (a, b) = (Self.median(first.map(value)), Self.median(last.map(value)))
            rows.append(Row(name: name, first: a, last: b, limit: limit(a), unit: unit))
        }
        add("memory", "MiB", { $0 * (1 + Self.growthMax) }) {
            Double($0.footprint.residentBytes) / 1_048_576
        }
        add("descriptors", "", { $0 + Self.descriptorsMoreMax }) {
            Double($0.footprint.descriptorCount)
        }
        add("threads", "", { $0 + Self.threadsMoreMax }) { Double($0.footprint.threadCount) }
        let snapshotBytes = samples.map(\.snapshotBytes).max() ?? 0
        let bound = Self.segmentsMax * Self.segmentBytes + Self.snapshotsMax * snapshotBytes
        rows.append(
            Row(
                name: "disk, at most", first: Self.median(first.map(\.diskMegabytes)),
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
