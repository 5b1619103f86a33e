/// One request's bytes, rendered once; sending is a copy with the key's digits and the value's
/// stamp put in place.
///
///     PUT /v2/keys/bench/0000000000000042 HTTP/1.1␍␊ Host … Content-Length: 134␍␊␍␊
///                        └── key, zero-padded
///     value=00000a3f5c21e4b8k3Jx…
///           └── stamp: 16 hex digits of the intended send time, cut to the value's length
///
/// The rest of a value is letters and digits drawn from the seed: nothing that the form encoding
/// would change, and nothing that a server could compress away.
package struct RequestTemplate: Sendable {
    package let operation: Operation
    private let bytes: [UInt8]
    /// Where the key's last digit is, and how many digits a key has.
    private let keyEnd: Int
    private let keyDigitCount: Int
    private let stampStart: Int
    private let stampSizeBytes: Int

    /// Bytes of a request, the same for every key.
    package var sizeBytes: Int { bytes.count }

    /// - Parameter host: of the Host header, with the port.
    package init(_ operation: Operation, _ plan: BenchPlan, host: String) {
        let keyPlaceholder = String(repeating: "0", count: plan.keySizeBytes)
        let path = "/v2/keys/\(plan.prefix)/\(keyPlaceholder)"
        self.operation = operation
        switch operation {
        case .put:
            let body = "value=" + Self.filler(plan)
            let head =
                "PUT \(path) HTTP/1.1\r\nHost: \(host)\r\n"
                + "Content-Type: application/x-www-form-urlencoded\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n"
            bytes = Array((head + body).utf8)
            stampStart = head.utf8.count + "value=".utf8.count
            stampSizeBytes = min(BenchPlan.stampSizeBytes, plan.valueSizeBytes)
            keyEnd = "PUT \(path)".utf8.count
        case .get, .quorumGet:
            let query = operation == .quorumGet ? "?quorum=true" : ""
            bytes = Array("GET \(path)\(query) HTTP/1.1\r\nHost: \(host)\r\n\r\n".utf8)
            stampStart = bytes.count
            stampSizeBytes = 0
            keyEnd = "GET \(path)".utf8.count
        }
        keyDigitCount = plan.keySizeBytes
        precondition(keyDigitCount > 0 && keyEnd >= keyDigitCount && keyEnd < bytes.count)
    }

    /// Writes the request for `key` at the start of `destination`; returns `sizeBytes`.
    package func render(
        key: Int, stamp: UInt64, into destination: UnsafeMutableRawBufferPointer
    ) -> Int {
        precondition(destination.count >= bytes.count, "room for a whole request")
        bytes.withUnsafeBytes { destination.copyMemory(from: $0) }
        var rest = key
        var index = keyEnd - 1
        while rest > 0 {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            destination[index] = 0x30 + UInt8(truncatingIfNeeded: digit)
            rest = quotient
            index -= 1
        }
        assert(index >= keyEnd - keyDigitCount - 1, "the plan was validated")
        for offset in 0..<stampSizeBytes {
            let nibble = UInt8(truncatingIfNeeded: stamp >> UInt64(60 - 4 * offset)) & 0xF
            destination[stampStart + offset] = nibble < 10 ? 0x30 + nibble : 0x57 + nibble
        }
        return bytes.count
    }

    private static func filler(_ plan: BenchPlan) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
        var random = SplitMix64(seed: plan.seed ^ 0x76616C7565)
        let bytes = (0..<plan.valueSizeBytes).map { _ in
            alphabet[random.next(below: alphabet.count)]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
