/// The last lines of what happened, for people; costs nothing while it is off.
package struct Trace {
    private let isOn: Bool
    private var lines: [String] = []
    private var next = 0
    private static let linesMax = 400

    init(isOn: Bool) { self.isOn = isOn }

    @inline(__always)
    mutating func note(_ now: Int64, _ line: () -> String) {
        guard isOn else { return }
        let text = "\(Self.time(now))  \(line())"
        if lines.count < Self.linesMax {
            lines.append(text)
        } else {
            lines[next] = text
            next = (next + 1) % Self.linesMax
        }
    }

    /// Oldest first.
    package func tail(_ count: Int) -> [String] {
        let all = lines[next...] + lines[..<next]
        return Array(all.suffix(count))
    }

    /// Seconds with six places.
    static func time(_ nanoseconds: Int64) -> String {
        let micro = nanoseconds / 1000
        let rest = String(micro % 1_000_000)
        let zeros = String(repeating: "0", count: 6 - rest.utf8.count)
        return "\(micro / 1_000_000).\(zeros)\(rest)"
    }
}
