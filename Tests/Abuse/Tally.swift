/// What became of abusive connections.
package struct Tally: Sendable {
    /// Those that were begun.
    package var begun = 0
    /// Those that never stood.
    package var refused = 0
    /// By the first answer's status.
    package var statuses: [Int: Int] = [:]
    /// Ended by kvd, in any way.
    package var cut = 0
    /// Ended by the script.
    package var left = 0
    package var bytesSent = 0
    package var bytesReceived = 0
    /// All has been begun, and all that a script asks to be sent has been sent or cut short.
    package var isComplete = false

    package var open: Int { begun - refused - cut - left }

    package static func + (a: Tally, b: Tally) -> Tally {
        var sum = a
        sum.begun += b.begun
        sum.refused += b.refused
        sum.statuses.merge(b.statuses, uniquingKeysWith: +)
        sum.cut += b.cut
        sum.left += b.left
        sum.bytesSent += b.bytesSent
        sum.bytesReceived += b.bytesReceived
        sum.isComplete = a.isComplete && b.isComplete
        return sum
    }

    /// Such as `500: 408 ×500, 500 cut`.
    package var text: String {
        var parts = statuses.sorted { $0.key < $1.key }.map { "\($0.key) ×\($0.value)" }
        if refused > 0 { parts.append("\(refused) refused") }
        if cut > 0 { parts.append("\(cut) cut") }
        if left > 0 { parts.append("\(left) left") }
        if open > 0 { parts.append("\(open) borne") }
        return "\(begun): " + parts.joined(separator: ", ")
    }
}
