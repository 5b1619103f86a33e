import KeyStore
import ProtoWire
import RaftModel
import State
import StateFiles
import Storage
import StorageIO

extension FuzzTarget {
    /// What a `.ksnap` has inside, not compressed.
    static let state = FuzzTarget(
        "state", "the content of a kvd snapshot", tokens: ["kvdstate\u{1}"]
    ) {
        input in
        let whole = decode { decoder throws(StateError) in try decoder.append(input) }
        let cut = decode { decoder throws(StateError) in
            var cuts = FuzzCuts(of: input)
            try cuts.forEach(of: input) { piece throws(StateError) in try decoder.append(piece) }
        }
        switch (whole, cut) {
        case (.success(let whole), .success(let cut)):
            let written = StateEncoder.bytes(whole)
            try require(StateEncoder.bytes(cut) == written, "cut it is another state")
            let again = decode { decoder throws(StateError) in
                try written.withUnsafeBufferPointer { bytes throws(StateError) in
                    try decoder.append(UnsafeRawBufferPointer(bytes))
                }
            }
            guard case .success(let again) = again else {
                throw FuzzFinding("unreadable when written again: \(again)")
            }
            try require(again.contentHash == whole.contentHash, "another hash when written again")
            try require(StateEncoder.bytes(again) == written, "another state when written again")
            try requireUsable(whole)
            return true
        case (.failure(let whole), .failure(let cut)):
            try require(whole.code == cut.code, "in one piece: \(whole); cut: \(cut)")
            return false
        default:
            throw FuzzFinding("in one piece: \(whole); cut: \(cut)")
        }
    }

    private static func decode(
        _ feed: (inout StateDecoder) throws(StateError) -> Void
    ) -> Result<StateImage, StateError> {
        var decoder = StateDecoder()
        do throws(StateError) {
            try feed(&decoder)
            return .success(
                try decoder.finish(
                    index: 7, term: 2, confState: ConfState(members: [MemberID(1)]), clusterTime: 0)
            )
        } catch {
            return .failure(error)
        }
    }

    /// A state that was read is one to go on from: it can be restored and written as etcd's, keys are
    /// written and deleted in it, and expire.
    static func requireUsable(_ image: StateImage) throws(FuzzFinding) {
        let state = MemberState(options: Store.Options())
        state.restore(image, monotonic: 1)
        let written = state.image()
        try require(written.contentHash == image.contentHash, "another hash when restored")
        _ = EtcdSnapshot.encodeStore(written)
        for command in laterCommands {
            let entry = Entry(
                term: image.term, index: state.appliedIndex + 1, data: command.encoded())
            _ = state.apply(entry, monotonic: 2, wall: 2)
        }
    }

    private static let laterCommands: [Request] = {
        var put = Request(id: 1, method: .put, path: Array("/1/a/later".utf8), value: [0x76])
        put.expiration = 2_000_000_000_000_000_000
        var delete = Request(id: 2, method: .delete, path: Array("/1/a".utf8))
        (delete.isDirectory, delete.recursive) = (true, true)
        let post = Request(id: 3, method: .post, path: Array("/1".utf8), value: [0x76])
        var sync = Request(id: 4, method: .sync)
        sync.time = 4_000_000_000_000_000_000
        return [put, delete, post, sync]
    }()

    /// Entries of a log, each behind its length in two bytes, applied one after the other. The first
    /// byte of each says whether it is a command or a change of members.
    static let apply = {
        var target = FuzzTarget(
            "apply", "entries that a leader sent, applied", tokens: commandTokens
        ) {
            input in
            let state = MemberState(options: Store.Options())
            var rest = input
            var applied = false
            while rest.count > 3 {
                let size = Int(rest[0]) << 8 | Int(rest[1])
                let kind: Entry.Kind = rest[2] % 8 == 7 ? .confChange : .normal
                let end = min(rest.count, 3 + size)
                let entry = Entry(
                    kind: kind, term: 1, index: state.appliedIndex + 1, data: Array(rest[3..<end]))
                _ = state.apply(entry, monotonic: 1, wall: 1)
                rest = UnsafeRawBufferPointer(rebasing: rest[end...])
                applied = true
            }
            try requireUsable(state.image())
            return applied
        }
        target.memoryPerByte = 256
        return target
    }()

    private static let commandTokens = [
        "/1/a", "/1", "/0/members/", "/0/version", "/2/users/", "PUT", "POST", "DELETE", "QGET",
        "SYNC",
        "GET", "{\"peerURLs\":[", "/raftAttributes", "/attributes", "/1/a/b/c", "//", "/../",
    ]

    /// The store's JSON, as etcd's snapshots have it inside.
    static let etcdStore = {
        var target = FuzzTarget("etcd-store", "the JSON of an etcd snapshot", tokens: storeTokens) {
            input in
            guard
                let image = try? EtcdSnapshot.decodeStore(
                    input, SnapshotMetadata(index: 7, term: 2))
            else { return false }
            if isText(input) { try requireSettled(image) } else { try requireUsable(image) }
            return true
        }
        // A text of a few bytes is a node, with its place in the tree and an event.
        (target.memoryPerByte, target.inputBytesMax) = (256, 1 << 14)
        return target
    }()

    /// A `.snap` file.
    static let etcdSnapshot = {
        var target = FuzzTarget("etcd-snapshot", "a .snap file of etcd", tokens: storeTokens) {
            input in
            guard let image = try? EtcdSnapshot.decode(Array(input)) else { return false }
            if isText(input) { try requireSettled(image) } else { try requireUsable(image) }
            return true
        }
        (target.memoryPerByte, target.inputBytesMax) = (256, 1 << 14)
        target.mend = { mendEtcdSnapshot(&$0) }
        return target
    }()

    private static let storeTokens = [
        "{\"Root\":", "\"Path\":", "\"CreatedIndex\":", "\"ModifiedIndex\":", "\"ExpireTime\":",
        "\"0001-01-01T00:00:00Z\"", "\"Value\":", "\"Children\":", "\"WatcherHub\":",
        "\"EventHistory\":", "\"Queue\":", "\"Events\":", "\"action\":\"set\"",
        "\"action\":\"expire\"",
        "\"node\":", "\"prevNode\":", "\"ttl\":", "\"expiration\":", "\"2026-11-28T10:00:00Z\"",
        "\"CurrentIndex\":", "\"Stats\":", "null", "{", "}", "[", "]", "-9223372036854775808",
        "\"9999-12-31T23:59:59Z\"", "\"dir\":true", "\"key\":", "\"createdIndex\":",
        "\"modifiedIndex\":", "\"StartIndex\":", "\"isRefresh\":true", "\\u0000", "\\ud800",
    ]

    /// Strings that are no UTF-8 are taken as they are, and written as etcd writes them: not the same.
    private static func isText(_ input: UnsafeRawBufferPointer) -> Bool {
        String(validating: input, as: UTF8.self) != nil
    }

    private static func requireSettled(_ image: StateImage) throws(FuzzFinding) {
        try requireUsable(image)
        let written = EtcdSnapshot.encode(image) { CRC32C.of($0) }
        guard let again = try? EtcdSnapshot.decode(written) else {
            throw FuzzFinding("unreadable when written again")
        }
        try require(again.contentHash == image.contentHash, "another hash when written again")
        let second = EtcdSnapshot.encode(again) { CRC32C.of($0) }
        try require(second == written, "another state when written again")
    }

    /// Its checksum.
    private static func mendEtcdSnapshot(_ bytes: inout [UInt8]) {
        var data: [UInt8] = []
        bytes.withUnsafeBytes { raw in
            var reader = WireReader(raw)
            while let field = try? reader.nextField() {
                guard field.number == 2, let found = try? reader.bytes(of: field) else {
                    guard (try? reader.skip(field)) != nil else { return }
                    continue
                }
                data = Array(found)
            }
        }
        guard !data.isEmpty else { return }
        let crc = UInt64(CRC32C.of(data))
        let size = WireSize.varintField(1, crc) + WireSize.bytesField(2, count: data.count)
        bytes = [UInt8](unsafeUninitializedCapacity: size) { memory, count in
            var writer = WireWriter(UnsafeMutableRawBufferPointer(memory))
            writer.varintField(1, crc)
            writer.bytesField(2, data)
            count = writer.count
        }
    }

    /// A `.ksnap` file, read where it lies and as it comes in from a leader.
    static let snapshotFile = {
        var target = FuzzTarget("snapshot-file", "a .ksnap file", tokens: ["kvd snap", "kvd tail"])
        {
            input in
            let read = readSnapshot(input)
            let received = receiveSnapshot(input)
            try require(
                read.map { $0.contentHash } == received.map { $0.contentHash },
                "in place \(read == nil ? "refused" : "read"), but not so when received")
            guard let read else { return false }
            try requireUsable(read)
            return true
        }
        // The blocks of LZ4, twice, and a disk in memory.
        (target.memoryPerByte, target.memoryBytesBeside) = (256, 64 << 20)
        target.weight = 4
        target.mend = { mendSnapshotFile(&$0) }
        return target
    }()

    private static let snapshotName = SnapshotName(term: 2, index: 7, format: .kvd)

    private static func snapshotDirectory() -> SnapshotDirectory<SimulatedStorage> {
        SnapshotDirectory("/", storage: SimulatedStorage(seed: 1))
    }

    private static func readSnapshot(_ input: UnsafeRawBufferPointer) -> StateImage? {
        let directory = snapshotDirectory()
        directory.storage.replaceContents(of: "/s.ksnap", with: Array(input))
        guard let reader = try? SnapshotReader("/s.ksnap", storage: directory.storage) else {
            return nil
        }
        return try? StateImage.read(reader)
    }

    private static func receiveSnapshot(_ input: UnsafeRawBufferPointer) -> StateImage? {
        let directory = snapshotDirectory()
        guard let receiver = try? directory.receive(snapshotName) else { return nil }
        var cuts = FuzzCuts(of: input)
        cuts.forEach(of: input) { try? receiver.append($0) }
        // What is expected is what the header says, or the receiver would refuse nearly all.
        let metadata = SnapshotMetadata(index: input.word(48), term: input.word(40))
        var image: StateImage?
        _ = try? receiver.finish(expecting: metadata) { image = try StateImage.read($0) }
        return image
    }

    /// The checksums and lengths of header and trailer: layouts in `Storage.SnapshotFormat`.
    private static func mendSnapshotFile(_ bytes: inout [UInt8]) {
        guard bytes.count >= 8 else { return }
        let headerEnd = Int(bytes.withUnsafeBytes { $0.half(4) }) + 8
        if headerEnd >= 108, headerEnd <= bytes.count {
            bytes.put(CRC32C.of(Array(bytes[..<(headerEnd - 4)])), at: headerEnd - 4)
        }
        let trailer = bytes.count - 40
        guard trailer >= 0 else { return }
        bytes.put(UInt64(trailer), at: trailer + 24)
        bytes.put(CRC32C.of(Array(bytes[..<trailer])), at: trailer + 32)
        bytes.put(CRC32C.of(Array(bytes[trailer..<(trailer + 36)])), at: trailer + 36)
    }
}

extension UnsafeRawBufferPointer {
    /// Little-endian; 0 beyond the end.
    func word(_ offset: Int) -> UInt64 {
        guard offset + 8 <= count else { return 0 }
        return UInt64(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    func half(_ offset: Int) -> UInt32 {
        guard offset + 4 <= count else { return 0 }
        return UInt32(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}

extension [UInt8] {
    /// Little-endian.
    mutating func put<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        Swift.withUnsafeBytes(of: value.littleEndian) { bytes in
            replaceSubrange(offset..<(offset + bytes.count), with: bytes)
        }
    }
}
