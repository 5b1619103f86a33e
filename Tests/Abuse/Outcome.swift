package import ProcessSupport

/// What must hold of a kvd that is abused.
package struct Bars: Sendable {
    /// p99 of the light client to its quiet one; nil where times mean nothing.
    package var slowdownMax: Double? = 5
    /// Afterwards, to what was before.
    package var growthMax = 0.1
    /// Memory that is no growth: kvd is small at its start.
    package var growthBytesMin = 0
    /// How long it may take to give back.
    package var patience = Duration.seconds(30)
    /// Lines that kvd may log about an attack.
    package var logLinesMax = 1000

    package init() {}
}

/// What came of one scenario.
package struct Outcome: Sendable {
    package let name: String
    package var quiet = LightClient.Reading()
    package var during = LightClient.Reading()
    /// While the same was done to a process that only reads it. Measured where `during` misses its bar: where
    /// this does too, the machine cannot tell what kvd has to do with it.
    package var control: LightClient.Reading?
    package var before = Footprint()
    /// While it went on, at most.
    package var peak = Footprint()
    package var after = Footprint()
    package var tally = Tally()
    package var logLines = 0
    /// Bars that were missed, each with its figures.
    package var misses: [String] = []

    package init(name: String) { self.name = name }

    func isSlow(_ reading: LightClient.Reading, beyond slowdownMax: Double) -> Bool {
        reading.p99 > slowdownMax * quiet.p99
    }

    package static let columns = [
        "abuse", "p99 quiet", "during", "ratio", "of a sink", "RSS before", "peak", "after", "fds",
        "peak",
        "after", "log", "verdict", "connections",
    ]

    package var cells: [String] {
        func mebibytes(_ footprint: Footprint) -> String {
            String((Double(footprint.residentBytes) / 104857.6).rounded() / 10)
        }
        return [
            name, Self.milliseconds(quiet.p99), Self.milliseconds(during.p99),
            ratio(during), control.map(ratio) ?? "",
            mebibytes(before), mebibytes(peak), mebibytes(after), "\(before.descriptorCount)",
            "\(peak.descriptorCount)", "\(after.descriptorCount)", "\(logLines)",
            misses.isEmpty ? "ok" : "MISSED", tally.text,
        ]
    }

    private func ratio(_ reading: LightClient.Reading) -> String {
        "\(((reading.p99 / quiet.p99) * 10).rounded() / 10)"
    }

    private static func milliseconds(_ microseconds: Double) -> String {
        "\((microseconds / 10).rounded() / 100)"
    }

    /// With `|`, as README has its tables.
    package static func table(_ outcomes: [Outcome]) -> String {
        let rows = [columns] + outcomes.map(\.cells)
        let widths = columns.indices.map { n in rows.map { $0[n].count }.max() ?? 0 }
        var lines = rows.map { row in
            "| "
                + zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
                .joined(separator: " | ") + " |"
        }
        lines.insert(
            "|" + widths.map { String(repeating: "-", count: $0 + 2) + "|" }.joined(), at: 1)
        return lines.joined(separator: "\n")
    }
}
