/// The web pages that may call this port: `--cors`. Source: `reference/client-api.md` §12.
///
/// What an answer needs of it is one small number, put into the request when it is read, so that a
/// port without the flag pays for nothing but a comparison.
package struct CrossOrigins {
    /// Whose headers an answer has: nobody's, or those of the origin with this number.
    package struct Grant: Equatable {
        fileprivate var number: UInt16

        static let none = Grant(number: .max)
    }

    package let isEmpty: Bool
    /// `*` is one of them: everybody gets its headers, even without an `Origin`.
    private let allowsAll: Bool
    private let numbers: [String: UInt16]
    /// The header lines of each.
    private let lines: [[UInt8]]

    /// - Parameter origins: as written behind the flag.
    package init(_ origins: Set<String>) {
        let sorted = origins.contains("*") ? ["*"] : Array(origins.sorted().prefix(Self.originsMax))
        allowsAll = sorted == ["*"]
        isEmpty = sorted.isEmpty
        var numbers: [String: UInt16] = [:]
        for (number, origin) in sorted.enumerated() { numbers[origin] = UInt16(number) }
        self.numbers = numbers
        lines = sorted.map { Array(Self.lines(of: $0).utf8) }
    }

    /// Far more than a flag can hold.
    private static let originsMax = Int(UInt16.max)

    /// - Parameter origin: the request's header, if it has one.
    func grant(to origin: String?) -> Grant {
        if allowsAll { return Grant(number: 0) }
        guard let origin, let number = numbers[origin] else { return .none }
        return Grant(number: number)
    }

    /// The header lines that `grant` stands for, which is not `.none`.
    func lines(of grant: Grant) -> [UInt8] { lines[Int(grant.number)] }

    /// The header fields that `grant` stands for.
    package func fields(of grant: Grant) -> [(name: String, value: String)] {
        guard grant != .none else { return [] }
        return fields(for: numbers.first { $0.value == grant.number }?.key)
    }

    /// The header fields for an answer to `origin`; none if it may not see it.
    package func fields(for origin: String?) -> [(name: String, value: String)] {
        if allowsAll { return Self.fields(of: "*") }
        guard let origin, numbers[origin] != nil else { return [] }
        return Self.fields(of: origin)
    }

    private static func lines(of origin: String) -> String {
        fields(of: origin).map { "\($0.name): \($0.value)\r\n" }.joined()
    }

    private static func fields(of origin: String) -> [(name: String, value: String)] {
        [
            ("Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE"),
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Allow-Headers", "accept, content-type, authorization"),
        ]
    }
}
