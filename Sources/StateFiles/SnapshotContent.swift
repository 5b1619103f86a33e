import KeyStore
package import State
package import Storage
package import StorageIO

/// Why a snapshot file that could be opened has no state that may be used.
package enum SnapshotContentError: Error {
    case file(SnapshotError)
    case state(StateError)
    /// Its keys do not hash to what they did when it was written.
    case hash(found: UInt64, expected: UInt64)
}

extension StateImage {
    /// Reads all of a snapshot of kvd's, and compares what its keys hash to with what its header says.
    ///
    /// - Parameter note: told of each piece's bytes, as it is read.
    package static func read(
        _ reader: SnapshotReader<some FileStorage>, note: (Int) -> Void = { _ in }
    ) throws(SnapshotContentError) -> StateImage {
        let header = reader.header
        var decoder = StateDecoder()
        while let piece = try next(of: reader) {
            do throws(StateError) { try decoder.append(piece) } catch { throw .state(error) }
            note(piece.count)
        }
        let image: StateImage
        do throws(StateError) {
            image = try decoder.finish(
                index: header.index, term: header.term, confState: header.confState,
                clusterTime: header.clusterTime)
        } catch {
            throw .state(error)
        }
        guard image.contentHash == header.contentHash else {
            throw .hash(found: image.contentHash, expected: header.contentHash)
        }
        return image
    }

    private static func next(
        of reader: SnapshotReader<some FileStorage>
    ) throws(SnapshotContentError) -> UnsafeRawBufferPointer? {
        do throws(SnapshotError) { return try reader.next() } catch { throw .file(error) }
    }
}

extension EtcdSnapshot {
    /// Reads all of a `.snap` file.
    package static func decode(_ file: [UInt8]) throws(EtcdSnapshotError) -> StateImage {
        try file.withUnsafeBufferPointer { bytes throws(EtcdSnapshotError) in
            try decode(UnsafeRawBufferPointer(bytes), crc32c: { CRC32C.of($0) })
        }
    }
}
