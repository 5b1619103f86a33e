import Testing

@testable import ClientAPI

@Suite struct ByteWriterTests {
    @Test func oneLargeAnswerDoesNotKeepItsMemory() {
        var writer = ByteWriter(capacity: 64)
        writer.append(Array(repeating: 1, count: 100_000))
        writer.removeAll()
        // It has been needed since the last look.
        writer.giveBack()
        #expect(writer.room >= 100_000)
        writer.append(Array(repeating: 1, count: 10))
        writer.giveBack()
        #expect(writer.room <= 100)
        writer.append(Array(repeating: 7, count: 1000))
        #expect(writer.bytes.elementsEqual(Array(repeating: 7, count: 1000)))
    }

    @Test func whoNeedsMuchAgainAndAgainKeepsIt() {
        var writer = ByteWriter(capacity: 64)
        for _ in 0..<10 {
            writer.append(Array(repeating: 1, count: 100_000))
            writer.giveBack()
            #expect(writer.room >= 100_000)
        }
    }
}
