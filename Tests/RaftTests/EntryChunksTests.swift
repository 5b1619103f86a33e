import RaftModel
import Testing

@testable import Raft

@Suite struct EntryChunksTests {
    private static func entries(_ range: Range<UInt64>) -> [Entry] {
        range.map { Entry(term: 1, index: $0, data: [UInt8(truncatingIfNeeded: $0)]) }
    }

    /// Whatever is done to it, it is what an array would be.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func behavesLikeAnArray(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var chunks = EntryChunks()
        var model: [Entry] = []
        var next: UInt64 = 1
        for _ in 0..<300 {
            switch random.next() % 8 {
            case 0...3:
                let new = Self.entries(next..<next + random.next() % 700)
                next += UInt64(new.count)
                chunks.append(new)
                model += new
            case 4, 5:
                let dropped = Int(random.next() % UInt64(model.count + 1))
                chunks.removeFirst(dropped)
                model.removeFirst(dropped)
            case 6:
                let kept = Int(random.next() % UInt64(model.count + 1))
                chunks.removeAll(from: kept)
                model.removeSubrange(kept...)
            default: chunks.release(chunks: Int(random.next() % 3))
            }
            #expect(chunks.count == model.count && chunks.last == model.last)
            guard !model.isEmpty else { continue }
            let place = Int(random.next() % UInt64(model.count))
            #expect(chunks[place] == model[place])
            let end = place + Int(random.next() % UInt64(model.count - place + 1))
            #expect(chunks.array(place..<end) == Array(model[place..<end]))
        }
        #expect(chunks.array(0..<model.count) == model)
    }

    /// What is dropped stays until it is released, so that no single call frees it all.
    @Test func dropsWithoutFreeing() {
        let size = EntryChunks.chunkEntries
        var chunks = EntryChunks(Self.entries(1..<UInt64(size * 10 + 1)))
        chunks.removeFirst(size * 4 + 1)
        #expect(chunks.droppedCount == 4 && chunks.count == size * 6 - 1)
        chunks.release(chunks: 3)
        #expect(chunks.droppedCount == 1)
        chunks.removeAll()
        #expect(chunks.droppedCount == 7 && chunks.count == 0 && chunks.last == nil)
        chunks.release(chunks: 100)
        #expect(chunks.droppedCount == 0)
    }
}
