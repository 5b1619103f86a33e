/// A page in Prometheus' text format 0.0.4, put together from top to bottom.
///
///     # HELP kvd_log_sync_seconds Time of a write and sync of the log.
///     # TYPE kvd_log_sync_seconds histogram
///     kvd_log_sync_seconds_bucket{le="0.0005"} 12
///
/// A family is begun with `family`, and its samples follow.
package struct MetricsPage {
    package enum Kind: String {
        case counter, gauge, histogram
    }

    package typealias Label = (name: StaticString, value: String)

    package private(set) var bytes: [UInt8] = []
    private var name = ""

    package init() { bytes.reserveCapacity(16 << 10) }

    /// Begins a family of samples.
    package mutating func family(_ name: StaticString, _ kind: Kind, _ help: StaticString) {
        self.name = "\(name)"
        append("# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n")
    }

    package mutating func sample(_ labels: [Label], _ value: UInt64) {
        sample("", labels, "\(value)")
    }

    package mutating func sample(_ labels: [Label], _ value: Double) {
        sample("", labels, "\(value)")
    }

    /// A family of one sample.
    package mutating func counter(_ name: StaticString, _ help: StaticString, _ value: UInt64) {
        family(name, .counter, help)
        sample([], value)
    }

    package mutating func gauge(_ name: StaticString, _ help: StaticString, _ value: UInt64) {
        family(name, .gauge, help)
        sample([], value)
    }

    package mutating func gauge(_ name: StaticString, _ help: StaticString, _ value: Double) {
        family(name, .gauge, help)
        sample([], value)
    }

    package mutating func histogram(
        _ name: StaticString, _ help: StaticString, _ histogram: DurationHistogram
    ) {
        family(name, .histogram, help)
        sample([], of: histogram)
    }

    /// One histogram of the family.
    package mutating func sample(_ labels: [Label], of histogram: DurationHistogram) {
        // Cumulative on the page; the last count is of what lies above all bounds.
        var total: UInt64 = 0
        for bucket in histogram.counts.dropLast().indices {
            total += histogram.counts[bucket]
            let bound = histogram.boundSeconds(bucket)
            sample("_bucket", labels + [("le", "\(bound)")], "\(total)")
        }
        total = histogram.count
        sample("_bucket", labels + [("le", "+Inf")], "\(total)")
        sample("_sum", labels, "\(Double(histogram.sumNanoseconds) / 1e9)")
        sample("_count", labels, "\(total)")
    }

    private mutating func sample(_ suffix: String, _ labels: [Label], _ value: String) {
        precondition(!name.isEmpty, "a sample belongs to a family")
        append(name)
        append(suffix)
        if !labels.isEmpty {
            let inner = labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }
            append("{\(inner.joined(separator: ","))}")
        }
        append(" \(value)\n")
    }

    private static func escaped(_ value: String) -> String {
        var out = ""
        for character in value {
            switch character {
            case "\\": out += "\\\\"
            case "\"": out += "\\\""
            case "\n": out += "\\n"
            default: out.append(character)
            }
        }
        return out
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }
}
