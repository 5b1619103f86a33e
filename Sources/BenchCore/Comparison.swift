internal import FoundationEssentials

/// What `Scripts/bench compare` measured: the same load on two servers, several times in turns.
package struct Comparison: Sendable {
    /// One line of the script's file.
    package struct Run: Codable, Sendable, Equatable {
        package var server: String
        package var members: Int
        package var round: Int
        package var result: BenchReport
    }

    /// The median of a server's runs of one load.
    package struct Cell: Codable, Sendable, Equatable {
        package var requestsPerSecond: Double
        package var p50Microseconds: Double
        package var p99Microseconds: Double
        package var errors: Int
        package var runs: Int
    }

    /// One load on both servers.
    package struct Row: Codable, Sendable, Equatable {
        package var members: Int
        package var connections: Int
        package var benchmark: String
        package var servers: [String: Cell]
        /// Requests a second of the first server over those of the second.
        package var ratio: Double?
    }

    private struct File: Codable {
        var machine: String
        /// The first over the second is the ratio.
        var servers: [String]
        var rows: [Row]
        var runs: [Run]
    }

    package let runs: [Run]
    /// In the order of their first runs.
    package let servers: [String]
    package let rows: [Row]

    package init(runs: [Run]) {
        self.runs = runs
        var servers: [String] = []
        for run in runs where !servers.contains(run.server) { servers.append(run.server) }
        self.servers = servers
        var rows: [Row] = []
        for run in runs where !rows.contains(where: { $0.isOf(run) }) {
            var row = Row(
                members: run.members, connections: run.result.config.connections,
                benchmark: run.result.benchmark, servers: [:])
            for server in servers {
                row.servers[server] = Cell(
                    runs.filter { row.isOf($0) && $0.server == server }.map(\.result))
            }
            if servers.count == 2, let one = row.servers[servers[0]],
                let other = row.servers[servers[1]], other.requestsPerSecond > 0
            {
                let ratio = one.requestsPerSecond / other.requestsPerSecond
                row.ratio = (ratio * 100).rounded() / 100
            }
            rows.append(row)
        }
        self.rows = rows
    }

    /// Reads lines of JSON. Throws `.badResults`.
    package init(file: String) throws(BenchError) {
        func bad(_ reason: String) -> BenchError {
            BenchError(.badResults(file: file, reason: reason), advice: "Run the comparison again.")
        }
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw bad("it cannot be read")
        }
        var runs: [Run] = []
        for (number, line) in text.split(separator: "\n").enumerated() {
            guard let run = try? JSONDecoder().decode(Run.self, from: Data(line.utf8)) else {
                throw bad("line \(number + 1) is not a run")
            }
            runs.append(run)
        }
        guard !runs.isEmpty else { throw bad("it is empty") }
        self.init(runs: runs)
    }

    /// Rows and runs as one JSON object.
    package func write(to path: String, machine: String) throws(BenchError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        let file = File(machine: machine, servers: servers, rows: rows, runs: runs)
        do {
            try encoder.encode(file).write(to: URL(filePath: path))
        } catch {
            throw BenchError(
                .badResults(file: path, reason: "it cannot be written (\(error))"),
                advice: "Choose another file with --out.")
        }
    }

    /// For people: medians, with the ratio of the requests a second.
    package var table: String {
        var header = "members  conns  load "
        for server in servers {
            header += "│" + "\(server) req/s".aligned(to: 16) + "p50".aligned(to: 10)
            header += "p99".aligned(to: 10) + " "
        }
        var lines = [servers.count == 2 ? header + "│ ratio" : header]
        for row in rows {
            var line = "\(row.members)".aligned(to: 7) + "\(row.connections)".aligned(to: 7)
            line += "  " + row.benchmark.padded(to: 5)
            for server in servers { line += "│" + Self.text(row.servers[server]) + " " }
            if let ratio = row.ratio { line += "│ " + decimals(ratio, 2).aligned(to: 5) }
            lines.append(line)
        }
        return lines.joined(separator: "\n")
    }

    private static func text(_ cell: Cell?) -> String {
        guard let cell else { return "–".aligned(to: 36) }
        let mark = cell.errors > 0 ? "!" : ""
        return (mark + decimals(cell.requestsPerSecond, 0)).aligned(to: 16)
            + BenchReport.Latency.time(cell.p50Microseconds).aligned(to: 10)
            + BenchReport.Latency.time(cell.p99Microseconds).aligned(to: 10)
    }
}

extension Comparison.Row {
    fileprivate func isOf(_ run: Comparison.Run) -> Bool {
        members == run.members && connections == run.result.config.connections
            && benchmark == run.result.benchmark
    }
}

extension Comparison.Cell {
    /// Nil without runs.
    init?(_ reports: [BenchReport]) {
        guard !reports.isEmpty else { return nil }
        requestsPerSecond = Comparison.median(reports.map(\.requestsPerSecond))
        p50Microseconds = Comparison.median(reports.compactMap(\.latencyMicroseconds?.p50))
        p99Microseconds = Comparison.median(reports.compactMap(\.latencyMicroseconds?.p99))
        errors = reports.reduce(0) { $0 + $1.errors.values.reduce(0, +) }
        runs = reports.count
    }
}

extension Comparison {
    /// The middle value, or the mean of the two in the middle; 0 of nothing.
    package static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return 0 }
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
