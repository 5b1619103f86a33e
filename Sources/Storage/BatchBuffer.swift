import CKvd
import ProtoWire
import RaftModel
import StorageIO

/// The memory in which a batch is put together, reused from batch to batch.
///
/// Entries are encoded once, straight to where they will be written from. The rolling crc goes
/// on over batches and segments.
struct BatchBuffer: ~Copyable {
    private static let firstBytes = 1 << 18
    /// More than this is given back after the batch that needed it.
    private static let keptBytesMax = 8 << 20
    /// Data of this size and more gets one crc pass for both crcs; below, two are quicker.
    private static let sharedCRCBytesMin = 8 << 10

    private var memory: UnsafeMutableRawBufferPointer
    private(set) var count = 0
    /// etcd's crc, over the records' data.
    private(set) var rolling: CRC32C
    /// The marker's crc, over the frames; bytes from `covered` on are still to be added.
    private var batch = CRC32C()
    private var covered = 0
    private var marker: WALMarker?
    /// Where the marker's 48 bytes lie.
    private var markerStart = 0

    init(rolling: CRC32C) {
        memory = Self.allocate(Self.firstBytes)
        self.rolling = rolling
    }

    deinit { memory.deallocate() }

    var isEmpty: Bool { count == 0 }

    /// The batch so far.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }

    /// Starts a batch that will be written at `marker.offset`.
    mutating func begin(_ marker: WALMarker) {
        precondition(isEmpty, "the last batch was not written")
        let crc = rolling.value
        let record =
            2 + WireSize.varintField(2, UInt64(crc))
            + WireSize.bytesField(3, count: WALMarker.sizeBytes)
        let size = WALFormat.lengthBytes + record
        reserve(size)
        let start = memory.baseAddress.unsafelyUnwrapped  // never empty
        var place = ByteCursor(start)
        place.frameHeader(.crc, crc: crc, dataBytes: WALMarker.sizeBytes, recordBytes: record)
        markerStart = place.place - start
        precondition(markerStart + WALMarker.sizeBytes == size)
        count = size
        self.marker = marker
        batch = CRC32C()
        batch.update(UnsafeRawBufferPointer(rebasing: memory[..<markerStart]))
        covered = size
    }

    /// Adds entries. Their encoding is `Entry.encode`'s, written out because it is the hot path.
    mutating func add(_ entries: [Entry]) {
        // A span lends its elements: iterating over the array would retain each one's data.
        let entries = entries.span
        var prefix = EntryPrefix(.normal, term: 0)
        for i in entries.indices {
            let (kind, term, index) = (entries[i].kind, entries[i].term, entries[i].index)
            if term <= EntryPrefix.termMax, index <= EntryPrefix.indexMax,
                EntryPrefix.dataBytes.contains(entries[i].data.count)
            {
                if term != prefix.term || kind != prefix.kind {
                    prefix = EntryPrefix(kind, term: term)
                }
                let head = prefix.head(index: index, dataBytes: entries[i].data.count)
                let place = place(for: head, dataBytes: head.count &+ entries[i].data.count)
                let before = rolling
                let bytes = entries[i].data.span.bytes
                let crc = bytes.withUnsafeBytes { Self.put(head, $0, at: place.data, before) }
                finish(place, crc)
            } else {
                addSlowly(kind, term: term, index: index, entries[i].data)
            }
        }
    }

    /// Where a record's frame goes, and what is known of it before its crc.
    private struct Place {
        var frame: UnsafeMutableRawPointer
        /// Header bytes without those of the crc.
        var fixed: Int
        var dataBytes: Int
        /// Leaves room for five bytes of crc, which it takes fifteen times out of sixteen.
        var data: UnsafeMutableRawPointer { frame + (fixed &+ 5) }
    }

    /// Reserves: what is written there stays inside the memory.
    @inline(__always)
    private mutating func place(dataBytes: Int) -> Place {
        precondition(marker != nil && dataBytes > 0 && dataBytes <= WALFormat.recordBytesMax)
        let fixed = WALFormat.lengthBytes &+ 4 &+ ByteCursor.size(UInt64(dataBytes))
        reserve(fixed &+ 5 &+ dataBytes)
        return Place(
            frame: memory.baseAddress.unsafelyUnwrapped + count, fixed: fixed, dataBytes: dataBytes)
    }

    /// The same for the entries of `EntryPrefix`, whose size needs no more than two bytes.
    @inline(__always)
    private mutating func place(for head: EntryPrefix.Head, dataBytes: Int) -> Place {
        precondition(marker != nil)
        let fixed = WALFormat.lengthBytes &+ (dataBytes < 1 << 7 ? 5 : 6)
        reserve(fixed &+ 5 &+ dataBytes &+ EntryPrefix.slackBytes)
        return Place(
            frame: memory.baseAddress.unsafelyUnwrapped + count, fixed: fixed, dataBytes: dataBytes)
    }

    /// Most entries: two words are put together in registers and stored before the data. The crc is
    /// made of those, and of the data where they come from: what was only just written cannot be
    /// read quickly in other pieces.
    @inline(__always)
    private static func put(
        _ head: EntryPrefix.Head, _ source: UnsafeRawBufferPointer,
        at data: UnsafeMutableRawPointer, _ before: CRC32C
    ) -> CRC32C {
        // Whole words: what is too much of one is overwritten by what follows.
        data.storeBytes(of: head.low.littleEndian, as: UInt64.self)
        (data + 8).storeBytes(of: head.high.littleEndian, as: UInt64.self)
        let bytes = source.baseAddress.unsafelyUnwrapped  // not empty
        (data + head.count).copyMemory(from: bytes, byteCount: source.count)
        return CRC32C(
            kvd_crc32c_headed(before.value, head.low, head.high, head.count, bytes, source.count))
    }

    @inline(never)
    private mutating func addSlowly(
        _ kind: Entry.Kind, term: UInt64, index: UInt64, _ bytes: [UInt8]
    ) {
        var dataBytes = 4 &+ ByteCursor.size(term) &+ ByteCursor.size(index)
        if !bytes.isEmpty { dataBytes += 1 + ByteCursor.size(UInt64(bytes.count)) + bytes.count }
        add(.entry, dataBytes: dataBytes) { place in
            place.byte(0x08)
            place.byte(kind.rawValue)
            place.byte(0x10)
            place.varint(term)
            place.byte(0x18)
            place.varint(index)
            guard !bytes.isEmpty else { return }
            place.byte(0x22)
            place.varint(UInt64(bytes.count))
            bytes.withUnsafeBytes { place.bytes($0) }
        }
    }

    mutating func add(_ state: HardState) {
        let size = state.encodedSize
        add(.state, dataBytes: size) { place in
            var writer = WireWriter(place.next(size))
            state.encode(into: &writer)
        }
    }

    mutating func add(_ type: WALRecordType, _ data: [UInt8]) {
        add(type, dataBytes: data.count) { place in data.withUnsafeBytes { place.bytes($0) } }
    }

    @inline(__always)
    private mutating func add(
        _ type: WALRecordType, dataBytes: Int, encode: (inout ByteCursor) -> Void
    ) {
        let place = place(dataBytes: dataBytes)
        var end = ByteCursor(place.data)
        encode(&end)
        precondition(end.place == place.data + dataBytes, "a wrong encodedSize")
        var crc = rolling
        crc.update(UnsafeRawBufferPointer(start: place.data, count: dataBytes))
        finish(type, at: place, crc: crc)
    }

    /// Puts the header before an entry of `EntryPrefix`.
    @inline(__always)
    private mutating func finish(_ place: Place, _ crc: CRC32C) {
        guard crc.value >= 1 << 28 else { return finish(.entry, at: place, crc: crc) }
        rolling = crc
        var header = ByteCursor(place.frame)
        header.usualFrameHeader(
            .entry, crc: UInt64(crc.value), dataBytes: UInt64(truncatingIfNeeded: place.dataBytes),
            recordBytes: place.fixed &+ 5 &- WALFormat.lengthBytes &+ place.dataBytes)
        assert(header.place == place.data)
        count = count &+ place.fixed &+ 5 &+ place.dataBytes
    }

    /// Puts the header before a record's data. The crc comes first but is known last: if it takes
    /// less room than was left, the data move down.
    @inline(never)
    private mutating func finish(_ type: WALRecordType, at place: Place, crc: CRC32C) {
        let dataBytes = place.dataBytes
        let before = rolling
        rolling = crc
        let crcBytes = ByteCursor.size(UInt64(crc.value))
        let headerBytes = place.fixed &+ crcBytes
        if crcBytes < 5 {
            (place.frame + headerBytes).copyMemory(from: place.data, byteCount: dataBytes)
        }
        var header = ByteCursor(place.frame)
        header.frameHeader(
            type, crc: crc.value, dataBytes: dataBytes,
            recordBytes: headerBytes &- WALFormat.lengthBytes &+ dataBytes)
        precondition(header.place == place.frame + headerBytes)
        let start = count &+ headerBytes
        if dataBytes >= Self.sharedCRCBytesMin {
            cover(upTo: start)
            batch.update(count: dataBytes, likeFrom: before, to: crc)
            covered = start &+ dataBytes
        }
        count = start &+ dataBytes
    }

    private mutating func cover(upTo end: Int) {
        batch.update(UnsafeRawBufferPointer(rebasing: memory[covered..<end]))
        covered = end
    }

    /// Finishes the marker: nothing can be added after this.
    mutating func seal() {
        guard var marker else { preconditionFailure("no batch was begun") }
        cover(upTo: count)
        let markerEnd = markerStart + WALMarker.sizeBytes
        marker.bytes = UInt64(count - markerEnd)
        marker.batchCRC = batch.value
        marker.encode(
            into: UnsafeMutableRawBufferPointer(rebasing: memory[markerStart..<markerEnd]))
        self.marker = nil
    }

    /// The batch with zeros behind it, up to the end of the page in which a write at `offset`
    /// ends.
    mutating func paddedBytes(writtenAt offset: Int) -> UnsafeRawBufferPointer {
        let over = (offset + count) % WALFormat.pageBytes
        let padding = over == 0 ? 0 : WALFormat.pageBytes - over
        reserve(padding)
        let zeros = UnsafeMutableRawBufferPointer(rebasing: memory[count..<(count + padding)])
        zeros.initializeMemory(as: UInt8.self, repeating: 0)
        return UnsafeRawBufferPointer(rebasing: memory[..<(count + padding)])
    }

    /// Forgets the batch and keeps the rolling crc.
    mutating func clear() {
        precondition(marker == nil, "an unsealed batch is lost")
        count = 0
        if memory.count > Self.keptBytesMax {
            memory.deallocate()
            memory = Self.allocate(Self.firstBytes)
        }
    }

    private mutating func reserve(_ more: Int) {
        guard count + more > memory.count else { return }
        grow(to: count + more)
    }

    @inline(never)
    private mutating func grow(to size: Int) {
        let larger = Self.allocate(max(size, memory.count * 2))
        larger.copyMemory(from: bytes)
        memory.deallocate()
        memory = larger
    }

    private static func allocate(_ size: Int) -> UnsafeMutableRawBufferPointer {
        .allocate(byteCount: size, alignment: WALFormat.pageBytes)
    }
}
