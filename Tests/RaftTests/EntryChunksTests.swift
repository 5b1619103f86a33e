import RaftModel
import Testing

@testable import Raft

@Suite struct EntryChunksTests {
    private static func entries(_ range: Range<UInt64>) -> [Entry] {
        range.map { index in
            Entry(
                kind: index % 97 == 0 ? .confChange : .normal, term: index / 1000, index: index,
                data: Array(
                    repeating: UInt8(truncatingIfNeeded: index),
                    count: index % 50 == 0 ? 1030 : Int(index % 5)))
        }
    }

    /// Whatever is done to it, it is what an array would be.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func behavesLikeAnArray(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var chunks = EntryChunks()
        var model: [Entry] = []
        var next: UInt64 = 1
        for _ in 0..<300 {
            switch random.next() % 10 {
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
                let kept =
                    chunks.looseStart
                    + Int(random.next() % UInt64(max(0, model.count - chunks.looseStart) + 1))
                chunks.removeAll(from: kept)
                model.removeSubrange(kept...)
                next = model.last.map { $0.index + 1 } ?? next
            case 7, 8:
                chunks.pack(
                    before: Int(random.next() % UInt64(model.count + 1)),
                    chunks: Int(random.next() % 4))
            default: chunks.release(chunks: Int(random.next() % 3))
            }
            #expect(chunks.count == model.count)
            guard !model.isEmpty else { continue }
            let place = Int(random.next() % UInt64(model.count))
            #expect(chunks[place] == model[place])
            #expect(chunks.term(at: place) == model[place].term)
            #expect(chunks.kind(at: place) == model[place].kind)
            #expect(chunks.dataCount(at: place) == model[place].data.count)
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
        #expect(chunks.droppedCount == 7 && chunks.count == 0)
        chunks.release(chunks: 100)
        #expect(chunks.droppedCount == 0)
    }
}
