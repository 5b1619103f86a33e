/// The web pages that may call this port: `--cors`. Source: `reference/client-api.md` §12.
///
/// What an answer needs of it is one small number, put into the request when it is read, so that a
/// port without the flag pays for nothing but a comparison.
struct CrossOrigins {
    /// Whose headers an answer has: nobody's, or those of the origin with this number.
    struct Grant: Equatable {
        fileprivate var number: UInt16

        static let none = Grant(number: .max)
    }

    let isEmpty: Bool
    /// `*` is one of them: everybody gets its headers, even without an `Origin`.
    private let allowsAll: Bool
    private let numbers: [String: UInt16]
    /// The header lines of each.
    private let lines: [[UInt8]]

    /// - Parameter origins: as written behind the flag.
    init(_ origins: Set<String>) {
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

    private static func lines(of origin: String) -> String {
        "Access-Control-Allow-Methods: POST, GET, OPTIONS, PUT, DELETE\r\n"
            + "Access-Control-Allow-Origin: \(origin)\r\n"
            + "Access-Control-Allow-Headers: accept, content-type, authorization\r\n"
    }
}
