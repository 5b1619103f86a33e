/// What happened, for people; costs nothing while it is off.
///
/// The last things of note, and among them the very last messages: those are many.
package struct Trace {
    private struct Line {
        var number: Int
        var text: String
    }

    private let isOn: Bool
    private var notes: Ring
    private var messages: Ring
    private var lastNumber = 0

    /// - Parameters notes, messages: how many to keep; 0: none is made.
    init(notes: Int, messages: Int) {
        isOn = notes > 0 || messages > 0
        self.notes = Ring(linesMax: max(1, notes))
        self.messages = Ring(linesMax: max(1, messages))
    }

    @inline(__always)
    mutating func note(_ now: Int64, _ line: () -> String) {
        guard isOn else { return }
        lastNumber += 1
        notes.add(Line(number: lastNumber, text: "\(Self.time(now))  \(line())"))
    }

    @inline(__always)
    mutating func message(_ now: Int64, _ line: () -> String) {
        guard isOn else { return }
        lastNumber += 1
        messages.add(Line(number: lastNumber, text: "\(Self.time(now))      \(line())"))
    }

    /// Oldest first.
    package var lines: [String] {
        (notes.all + messages.all).sorted { $0.number < $1.number }.map(\.text)
    }

    /// Seconds with six places.
    static func time(_ nanoseconds: Int64) -> String {
        let micro = nanoseconds / 1000
        let rest = String(micro % 1_000_000)
        let zeros = String(repeating: "0", count: 6 - rest.utf8.count)
        return "\(micro / 1_000_000).\(zeros)\(rest)"
    }

    private struct Ring {
        let linesMax: Int
        private var lines: [Line] = []
        private var next = 0

        init(linesMax: Int) { self.linesMax = linesMax }

        mutating func add(_ line: Line) {
            if lines.count < linesMax {
                lines.append(line)
            } else {
                lines[next] = line
                next = (next + 1) % linesMax
            }
        }

        /// Oldest first.
        var all: [Line] { Array(lines[next...] + lines[..<next]) }
    }
}
