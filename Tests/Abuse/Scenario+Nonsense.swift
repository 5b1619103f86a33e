import BenchCore
import FixtureSupport
import ProcessSupport

/// Bytes that are no requests, or two requests at once.
extension Scenario {
    static let nonsense =
        [Script.Port.client, .peer].flatMap { port in
            [
                Scenario(
                    name: "garbage-\(port)", purpose: "random bytes, and requests damaged by some"
                ) { _, scale in
                    [scale.onslaught(garbage(port), count: 6000, rate: 600)]
                },
                Scenario(
                    name: "smuggling-\(port)",
                    purpose: "requests that two readers could read differently",
                    onslaughts: { _, scale in
                        let scripts = try HTTPFixture.smuggling().map { bytes in
                            var script = Script(port, bytes, .hangsUp(after: .seconds(1)))
                            script.endsInput = true
                            return script
                        }
                        return [scale.onslaught(scripts, count: 6000, rate: 600)]
                    },
                    check: { victim in
                        let status = try victim.request("GET", "/v2/keys/smuggled").status
                        return status == 404
                            ? nil : "a smuggled request was carried out (GET: \(status))"
                    }),
            ]
        }

    /// The same every time.
    private static func garbage(_ port: Script.Port) -> [Script] {
        var random = SplitMix64(seed: 7)
        let whole = Array(
            ("PUT /v2/keys/garbage HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n"
                + "Content-Type: application/x-www-form-urlencoded\r\n\r\nvalue=1").utf8)
        let hello: [UInt8] = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03]
        return (0..<300).map { n in
            var bytes = (0..<(1 + random.next(below: 4096))).map { _ in
                UInt8(truncatingIfNeeded: random.next())
            }
            switch n % 4 {
            case 0: break
            case 1: bytes = hello + bytes
            case 2: bytes = Array("GET /".utf8) + bytes
            default:
                bytes = whole
                for _ in 0...random.next(below: 3) {
                    bytes[random.next(below: bytes.count)] = UInt8(
                        truncatingIfNeeded: random.next())
                }
            }
            return Script(port, bytes, .hangsUp(after: .milliseconds(500)))
        }
    }
}
