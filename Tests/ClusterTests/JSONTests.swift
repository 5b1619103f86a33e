import Foundation
import RaftModel
import Testing

@testable import Cluster

@Suite struct JSONTests {
    private func parse(_ text: String) throws -> JSONValue {
        try JSONValue(parsing: Array(text.utf8))
    }

    @Test func everyKindOfValue() throws {
        let value = try parse(" {\"a\":[1,-2.5e+3,true,false,null,\"x\"],\"b\":{},\"c\":[ ]}\n")
        #expect(
            value["a"]
                == .array([
                    .number("1"), .number("-2.5e+3"), .bool(true), .bool(false), .null,
                    .string("x"),
                ]))
        #expect(value["b"] == .object([]))
        #expect(value["c"] == .array([]))
    }

    @Test func sixtyFourBitsStayExact() throws {
        let value = try parse("{\"id\":18446744073709551615}")
        #expect(try value.unsigned("id") == UInt64.max)
        for text in ["18446744073709551616", "-1", "1.0", "1e3", "\"1\""] {
            #expect(throws: JSONError.self) { try parse("{\"id\":\(text)}").unsigned("id") }
        }
    }

    @Test func fieldsAsGoFillsThem() throws {
        let value = try parse("{\"Name\":\"a\",\"name\":\"b\",\"URLS\":null,\"extra\":1}")
        #expect(try value.string("name") == "b")
        #expect(try value.strings("urls").isEmpty)
        #expect(try value.string("missing").isEmpty)
        #expect(throws: JSONError.self) { try value.string("extra") }
        #expect(throws: JSONError.self) { try value.strings("name") }
        #expect(throws: JSONError.self) { try parse("{\"a\":[1]}").strings("a") }
    }

    @Test func escapes() throws {
        let text = #""\"\\\/\b\f\n\r\tAé€😀\ud83dx\ude00""#
        let expected = "\"\\/\u{8}\u{c}\n\r\tAé€😀\u{fffd}x\u{fffd}"
        #expect(try parse(text) == .string(expected))
    }

    @Test func bytesThatAreNotUTF8() throws {
        func text(_ bytes: [UInt8]) throws -> String {
            guard case .string(let text) = try JSONValue(parsing: [0x22] + bytes + [0x22]) else {
                return "no string"
            }
            return text
        }
        #expect(try text([0x61, 0xFF, 0x62]) == "a\u{fffd}b")
        #expect(try text([0xE2, 0x82]) == "\u{fffd}\u{fffd}")
        #expect(try text([0xED, 0xA0, 0x80]) == "\u{fffd}\u{fffd}\u{fffd}")
        #expect(try text([0xC0, 0x80]) == "\u{fffd}\u{fffd}")
        #expect(try text([0xF0, 0x9F, 0x98, 0x80]) == "😀")
    }

    @Test(arguments: [
        "", " ", "{", "}", "[", "[1,]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}",
        "01", "-", "1.", ".1", "1e", "+1", "tru", "nul", "\"", "\"\\", "\"\\x\"", "\"\\u12\"",
        "\"\\u12g4\"", "\"\n\"", "1 2", "{} x", "'a'", "\u{feff}1",
    ])
    func refused(_ text: String) {
        let error = #expect(throws: JSONError.self) { try parse(text) }
        #expect(error?.description.contains("JSON") == true)
    }

    @Test func nestingIsBounded() throws {
        let deepest = JSONParser.depthMax
        _ = try parse(
            String(repeating: "[", count: deepest) + String(repeating: "]", count: deepest))
        #expect(throws: JSONError(.tooDeep(limit: deepest), at: deepest)) {
            try parse(String(repeating: "[", count: 1_000_000))
        }
    }

    /// Mutations of a real document: no trap, and an accepted one is accepted by Foundation too.
    @Test func mutatedDocuments() {
        var random = SeededRandom(seed: 1)
        // Without e and d: Foundation refuses exponents beyond Double and half surrogate pairs.
        let bytesToPut = (UInt8(0)...127).filter { !Set("eEdD".utf8).contains($0) }
        let document = Array(
            "[{\"id\":3324899703916657104,\"peerURLs\":[\"http://h:1\"],\"name\":\"m\\u00e9\"}]"
                .utf8)
        for _ in 0..<10_000 {
            var bytes = document
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let position = Int.random(in: bytes.indices, using: &random)
                bytes[position] = bytesToPut[Int.random(in: bytesToPut.indices, using: &random)]
            }
            guard (try? JSONValue(parsing: bytes)) != nil else { continue }
            let other = try? JSONSerialization.jsonObject(
                with: Data(bytes), options: .fragmentsAllowed)
            #expect(other != nil, "\(String(decoding: bytes, as: UTF8.self))")
        }
    }

    @Test func writtenAsGoWritesIt() {
        var json = JSONText()
        json.string("a\"\\/<>&'\n\r\t\u{8}\u{c}\u{0}\u{1f}\u{7f}é😀\u{2028}\u{2029}")
        let expected =
            #""a\"\\/\u003c\u003e\u0026'\n\r\t\u0008\u000c\u0000\u001f"# + "\u{7f}é😀"
            + #"\u2028\u2029""#
        #expect(String(decoding: json.bytes, as: UTF8.self) == expected)
    }
}
