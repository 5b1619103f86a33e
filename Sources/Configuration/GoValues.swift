/// Go's notations of flag values, and its words for what is wrong with one.
enum GoValues {
    /// `1 t T TRUE true True` and their opposites; nil for anything else.
    static func boolean(_ text: String) -> Bool? {
        switch text {
        case "1", "t", "T", "TRUE", "true", "True": true
        case "0", "f", "F", "FALSE", "false", "False": false
        default: nil
        }
    }

    /// Decimal, `0x…`, `0o…`, `0b…`, or octal after a leading zero.
    static func unsigned(_ text: String) throws(ValueError) -> UInt64 {
        let lower = text.lowercased()
        let (digits, radix): (Substring, Int) =
            if lower.hasPrefix("0x") {
                (lower.dropFirst(2), 16)
            } else if lower.hasPrefix("0o") {
                (lower.dropFirst(2), 8)
            } else if lower.hasPrefix("0b") {
                (lower.dropFirst(2), 2)
            } else if lower.hasPrefix("0"), lower.count > 1 {
                (lower.dropFirst(1), 8)
            } else {
                (lower[...], 10)
            }
        let areDigits = digits.allSatisfy { digit in
            guard let value = digit.hexDigitValue, digit.isASCII else { return false }
            return value < radix
        }
        guard areDigits, !digits.isEmpty else { throw ValueError("parse error") }
        guard let number = UInt64(digits, radix: radix) else {
            throw ValueError("value out of range")
        }
        return number
    }
}

/// Why a flag's value was refused: the words after the colon in etcd's message.
struct ValueError: Error, Equatable {
    let reason: String
    /// What to write instead, if there is more to say than `reason`.
    let advice: String?

    init(_ reason: String, advice: String? = nil) {
        self.reason = reason
        self.advice = advice
    }
}
