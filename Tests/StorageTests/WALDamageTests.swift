import RaftModel
@testable import Storage
import StorageIO
import Testing

/// A small log, cut at every byte and with every bit turned over.
@Suite struct WALDamageTests {
    static let first = "0000000000000000-0000000000000000.wal"

    /// Three batches. `contents[i]` is what the log holds once `ends[i]` bytes of it are there.
    struct Sample {
        var bytes: [UInt8]
        var headEnd: Int
        var ends: [Int]
        var contents: [LogContent]
    }

    private func sample(closing: Bool) throws -> Sample {
        let fixture = try LogFixture()
        let wal = try fixture.create()
        var content = LogContent()
        var sample = Sample(
            bytes: [], headEnd: wal.writtenBytes, ends: [wal.writtenBytes], contents: [content])
        let saves: [(HardState?, [Entry])] = [
            (HardState(term: 1, vote: .none, commit: 2), LogFixture.entries(1...3, term: 1)),
            (HardState(term: 2, vote: MemberID(9), commit: 2), []),
            (
                HardState(term: 2, vote: MemberID(9), commit: 4),
                LogFixture.entries(3...5, term: 2, bytes: 40) + [Entry(term: 2, index: 6)]
            ),
        ]
        for (state, entries) in saves {
            try wal.append(hardState: state, entries: entries)
            try wal.sync()
            content.save(state, entries)
            sample.ends.append(wal.writtenBytes)
            sample.contents.append(content)
        }
        if closing {
            try wal.close()
            sample.ends.append(wal.writtenBytes)
            sample.contents.append(content)
        }
        sample.bytes = fixture.storage.contents(of: "\(LogFixture.directory)/\(Self.first)")
        return sample
    }

    /// A batch is there as a whole or not at all, wherever the file ends.
    @Test func cutAtEveryByte() throws {
        let sample = try sample(closing: true)
        let end = try #require(sample.ends.last)
        for size in 0...(end + 16) {
            let fixture = try LogFixture(files: [Self.first: Array(sample.bytes[..<size])])
            guard size >= sample.headEnd else {
                let error = #expect(throws: WALError.self) { try fixture.read() }
                #expect(error?.isDamage == true)
                continue
            }
            let whole = try #require(sample.ends.lastIndex { $0 <= size })
            let log = try fixture.read()
            #expect(log.content == sample.contents[whole], "cut at \(size)")
            #expect((log.report.cut != nil) == (sample.ends[whole] < size && size < end))
            // And it can be gone on with.
            let (wal, _) = try fixture.recover()
            let next = LogFixture.entries((log.lastIndex + 1)...(log.lastIndex + 1), term: 7)
            try wal.append(hardState: nil, entries: next)
            try wal.sync()
            #expect(try fixture.read().entries == log.entries + next)
        }
    }

    /// After a clean stop no bit can be turned over unseen.
    @Test func everyBitOfAClosedLog() throws {
        let sample = try sample(closing: true)
        let whole = try #require(sample.contents.last)
        var refused = 0
        try flips(of: sample) { fixture, byte, bit in
            do {
                let log = try fixture.read()
                #expect(log.content == whole, "byte \(byte) bit \(bit)")
                // Only the last marker and the zeros behind it may pass.
                #expect(byte >= sample.ends[sample.ends.count - 2])
            } catch let error as WALError {
                #expect(error.isDamage)
                #expect(byte < sample.ends[sample.ends.count - 2])
                refused += 1
            }
        }
        #expect(refused == sample.ends[sample.ends.count - 2] * 8)
    }

    /// Without one, a bit in the last batch passes for a torn write, and only there.
    @Test func everyBitOfAnOpenLog() throws {
        let sample = try sample(closing: false)
        let count = sample.contents.count
        try flips(of: sample) { fixture, byte, bit in
            do {
                let log = try fixture.read()
                let isWhole = log.content == sample.contents[count - 1]
                let isTorn = log.content == sample.contents[count - 2]
                #expect(isWhole || isTorn, "byte \(byte) bit \(bit)")
                #expect(byte >= sample.ends[count - 2])
                if isTorn { #expect(log.report.cut?.offsetBytes == sample.ends[count - 2]) }
            } catch let error as WALError {
                #expect(error.isDamage)
                #expect(byte < sample.ends[count - 2], "byte \(byte) bit \(bit): \(error)")
            }
        }
    }

    /// Bytes that go with their marker were written so: no torn write, whatever they are. Cut in the
    /// middle, such a batch would be damage to the start after the next.
    @Test func aWholeBatchIsNeverCut() throws {
        let sample = try sample(closing: false)
        let start = sample.ends[sample.ends.count - 2]
        let end = try #require(sample.ends.last)
        let frameBytes = try sample.bytes[start...].withUnsafeBytes { bytes in
            guard case .frame(let frame) = WALFrame.read(bytes) else { throw NoMarker() }
            return frame.sizeBytes
        }
        let markerStart = start + frameBytes - WALMarker.sizeBytes
        var (refused, zeroed) = (0, sample.bytes)
        for byte in (start + frameBytes..<end).reversed() {
            zeroed[byte] = 0
            var flipped = sample.bytes
            flipped[byte] ^= UInt8(1) << (byte % 8)
            for var bytes in [flipped, zeroed] {
                try mendMarker(&bytes, at: markerStart, batch: start..<end)
                let fixture = try LogFixture(files: [Self.first: bytes])
                do {
                    let log = try fixture.read()
                    #expect(log.report.cut == nil, "byte \(byte)")
                } catch let error as WALError {
                    #expect(error.isDamage)
                    refused += 1
                }
            }
        }
        #expect(refused > end - start)
    }

    private struct NoMarker: Error {}

    private func mendMarker(_ bytes: inout [UInt8], at start: Int, batch: Range<Int>) throws {
        let end = start + WALMarker.sizeBytes
        try bytes.withUnsafeMutableBytes { memory in
            let data = UnsafeMutableRawBufferPointer(rebasing: memory[start..<end])
            guard var marker = WALMarker.decode(UnsafeRawBufferPointer(data)) else {
                throw NoMarker()
            }
            var crc = CRC32C()
            crc.update(UnsafeRawBufferPointer(rebasing: memory[batch.lowerBound..<start]))
            crc.update(UnsafeRawBufferPointer(rebasing: memory[end..<batch.upperBound]))
            marker.batchCRC = crc.value
            marker.encode(into: data)
        }
    }

    private func flips(
        of sample: Sample, _ body: (LogFixture, _ byte: Int, _ bit: Int) throws -> Void
    ) throws {
        let fixture = try LogFixture(files: [Self.first: sample.bytes])
        let path = "\(LogFixture.directory)/\(Self.first)"
        let end = try #require(sample.ends.last)
        for byte in 0..<(end + 64) {
            for bit in 0..<8 {
                fixture.storage.flipBit(bit, ofByte: byte, in: path)
                try body(fixture, byte, bit)
                fixture.storage.flipBit(bit, ofByte: byte, in: path)
            }
        }
    }

    /// The same for a log of several segments: nothing before the last one's end may pass.
    @Test func everyBitOfSeveralSegments() throws {
        let fixture = try LogFixture(segmentBytes: 4096)
        let wal = try fixture.create()
        for i: UInt64 in 1...12 {
            let state = HardState(term: 1, vote: MemberID(1), commit: i - 1)
            try wal.append(
                hardState: state, entries: LogFixture.entries(i...i, term: 1, bytes: 900))
            try wal.sync()
        }
        try wal.close()
        let whole = try fixture.read()
        #expect(whole.report.segmentCount >= 3)
        let names = try fixture.storage.list(LogFixture.directory)
        var random = SplitMix64(seed: 5)
        for name in names {
            let path = "\(LogFixture.directory)/\(name)"
            let size = fixture.storage.contents(of: path).count
            for byte in 0..<size where byte < 200 || byte > size - 200 || byte % 7 == 0 {
                let bit = random.below(8)
                fixture.storage.flipBit(bit, ofByte: byte, in: path)
                let log = try? fixture.read()
                if let log { #expect(log.content == whole.content, "\(name) byte \(byte)") }
                if name != names.last { #expect(log == nil, "\(name) byte \(byte)") }
                fixture.storage.flipBit(bit, ofByte: byte, in: path)
            }
        }
    }

    /// A flipped bit in the plain frames of etcd is found too, but for what etcd cannot know:
    /// its crc leaves out a record's type.
    @Test func everyBitOfAnEtcdLog() throws {
        let sample = try sample(closing: true)
        let plain = Self.withoutMarkers(sample.bytes)
        let fixture = try LogFixture(files: [Self.first: plain])
        let whole = try fixture.read()
        #expect(whole.content == sample.contents.last)
        let path = "\(LogFixture.directory)/\(Self.first)"
        var types: Set<Int> = []
        var offset = 0
        while offset < plain.count {
            types.insert(offset + 9)
            offset += 8 + Int(plain[offset])
        }
        for byte in plain.indices where !types.contains(byte) {
            for bit in 0..<8 {
                fixture.storage.flipBit(bit, ofByte: byte, in: path)
                if let log = try? fixture.read() {
                    let kept = log.content.entries.count
                    #expect(log.content.entries == Array(whole.entries.prefix(kept)))
                    // Only a last record whose length grew looks cut short.
                    #expect(log.report.cut != nil || log.content == whole.content)
                }
                fixture.storage.flipBit(bit, ofByte: byte, in: path)
            }
        }
    }

    /// The frames of a log that are not markers, as etcd would have written them.
    static func withoutMarkers(_ bytes: [UInt8]) -> [UInt8] {
        var plain: [UInt8] = [4, 0, 0, 0, 0, 0, 0, 0, 8, 4, 16, 0]
        bytes.withUnsafeBytes { raw in
            var offset = 0
            while case .frame(let frame) = WALFrame.read(.init(rebasing: raw[offset...])) {
                if frame.type != .crc { plain += raw[offset..<(offset + frame.sizeBytes)] }
                offset += frame.sizeBytes
            }
        }
        return plain
    }
}
