import Synchronization

/// One direction between two members, by their numbers.
package struct Link: Hashable, Sendable {
    package var from: Int
    package var to: Int

    package init(from: Int, to: Int) { (self.from, self.to) = (from, to) }
}

/// What becomes of the bytes of a link.
package struct LinkRule: Equatable, Sendable {
    package enum Passage: Sendable {
        case open
        /// Nothing passes and nothing is said, as when packets are lost. What was under way arrives
        /// when the link is opened again.
        case held
        /// Connections end, and new ones do so at once.
        case closed
    }

    package var passage = Passage.open
    package var delayNanoseconds: Int64 = 0
    package var bytesPerSecond: Int?

    package init(_ passage: Passage = .open, delay: Int64 = 0, bytesPerSecond: Int? = nil) {
        (self.passage, self.delayNanoseconds) = (passage, delay)
        self.bytesPerSecond = bytesPerSecond
    }
}

/// Who is who, and the rules of now: written by the run, read by the proxy's thread.
package final class LinkTable: Sendable {
    struct Content: Sendable {
        /// Members' numbers by the ids that they call themselves in `X-Server-From`.
        var numbers: [String: Int] = [:]
        var rules: [Link: LinkRule] = [:]

        /// A caller that is no member yet has no link that could be cut.
        func rule(from: Int?, to: Int?) -> LinkRule {
            guard let from, let to else { return LinkRule() }
            return rules[Link(from: from, to: to)] ?? LinkRule()
        }
    }

    private let content = Mutex(Content())

    var now: Content { content.withLock { $0 } }

    func know(_ id: String, as number: Int) { content.withLock { $0.numbers[id] = number } }
    func set(_ rules: [Link: LinkRule]) { content.withLock { $0.rules = rules } }
}
