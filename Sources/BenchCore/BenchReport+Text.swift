extension BenchReport {
    /// A few lines for people.
    package var text: String {
        var lines = [headline]
        lines.append(
            "throughput   \(count(requestsPerSecond)) req/s"
                + "   \(requests) requests in \(decimals(elapsedSeconds, 2)) s")
        if let latencyMicroseconds { lines.append("latency      \(latencyMicroseconds.text)") }
        for (name, part) in (operations ?? [:]).sorted(by: { $0.key < $1.key }) {
            let label = "  \(name)".padded(to: 13)
            lines.append("\(label)\(count(part.requestsPerSecond)) req/s")
            if let latency = part.latencyMicroseconds {
                lines.append("             \(latency.text)")
            }
        }
        if let watch {
            lines.append(
                "events       \(count(watch.eventsPerSecond)) events/s"
                    + "   \(watch.events) seen, \(watch.missed) missed")
            if let latency = watch.latencyMicroseconds {
                lines.append("write→event  \(latency.text)")
            }
        }
        lines.append("errors       \(Self.describe(errors.map { ($0.key, $0.value) }))")
        lines.append(
            "bytes        \(mebibytes(bytesSent)) sent, \(mebibytes(bytesReceived)) received")
        let share = decimals(generator.cpuFraction * 100, 0)
        lines.append("generator    \(share) % of \(config.threads) thread(s)")
        return (lines + warnings).joined(separator: "\n")
    }

    /// What makes the figures mean less than they seem to.
    package var warnings: [String] {
        var warnings: [String] = []
        if interrupted { warnings.append("note: interrupted; this is the part that was measured.") }
        if generator.cpuFraction > 0.9 {
            warnings.append(
                "note: the generator itself was nearly busy; add --threads to load more.")
        }
        if unsent > 0 {
            warnings.append(
                "note: \(unsent) requests were due and never sent: the server does not keep up "
                    + "with --rate, and real latencies are longer than shown.")
        }
        if reconnects > 0 {
            warnings.append("note: connections were lost and opened again \(reconnects) times.")
        }
        return warnings
    }

    /// Why no request succeeded, and what to do.
    package var reasonForNothing: String {
        if interrupted { return "interrupted before anything was measured." }
        if errors.keys.allSatisfy({ $0 == "404" }), !errors.isEmpty {
            return "the keys do not exist. Leave --no-preload out, or check --prefix and --keys."
        }
        if errors.isEmpty { return "no answer came in time; raise --duration or check the server." }
        return "\(Self.describe(errors.map { ($0.key, $0.value) })). Look at the server's log."
    }

    private var headline: String {
        var parts = [
            "\(config.connections) connections × \(config.pipeline) in flight",
            "\(config.keys) keys", "\(config.valueSizeBytes)-byte values",
        ]
        if let rate = config.ratePerSecond {
            parts.append("\(rate) req/s asked for")
        } else {
            parts.append("closed loop")
        }
        if let watchers = config.watchers {
            parts.append("\(watchers) watchers (\(config.watchMode ?? ""))")
        }
        return
            "\(benchmark): \(parts.joined(separator: ", ")) → \(config.urls.joined(separator: " "))"
    }

    private func count(_ value: Double) -> String { decimals(value, 0).padded(to: 9) }

    private func mebibytes(_ count: Int) -> String {
        decimals(Double(count) / 1_048_576, 1) + " MiB"
    }
}

extension BenchReport.Latency {
    package var text: String {
        let values = [
            ("mean", mean), ("p50", p50), ("p90", p90), ("p99", p99), ("p99.9", p999),
            ("max", max),
        ]
        return values.map { "\($0.0) \(Self.time($0.1))" }.joined(separator: "  ")
    }

    /// With the unit that leaves one to four digits before the point.
    package static func time(_ microseconds: Double) -> String {
        if microseconds < 1000 { return decimals(microseconds, 0) + " µs" }
        if microseconds < 1_000_000 { return decimals(microseconds / 1000, 2) + " ms" }
        return decimals(microseconds / 1_000_000, 2) + " s"
    }
}

/// `value` with so many digits after the point. (No Foundation, no locale.)
func decimals(_ value: Double, _ digitCount: Int) -> String {
    var scale = 1
    for _ in 0..<digitCount { scale *= 10 }
    let scaled = Int((value.magnitude * Double(scale)).rounded())
    let sign = value < 0 && scaled > 0 ? "-" : ""
    let (whole, fraction) = scaled.quotientAndRemainder(dividingBy: scale)
    if digitCount == 0 { return "\(sign)\(whole)" }
    let digits = String(fraction)
    let zeros = String(repeating: "0", count: digitCount - digits.count)
    return "\(sign)\(whole).\(zeros)\(digits)"
}

extension String {
    /// With blanks behind, up to `width` characters.
    func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }

    /// With blanks before, up to `width` characters.
    func aligned(to width: Int) -> String {
        String(repeating: " ", count: max(0, width - count)) + self
    }
}
