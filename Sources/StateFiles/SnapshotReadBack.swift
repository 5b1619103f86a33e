import KeyStore
import State
import Storage
import StorageIO

/// Reads a snapshot's file piece by piece and compares it with the image it was written from: what a start
/// would read is there, and it would not be refused. Takes memory for a piece. One thread at a time.
struct SnapshotReadBack<IO: FileStorage>: ~Copyable {
    private let reader: SnapshotReader<IO>
    /// Nil when all has been read.
    private var decoder: StateDecoder?

    init(_ reader: SnapshotReader<IO>, _ image: StateImage) {
        self.reader = reader
        decoder = .comparing(with: image)
    }

    /// Reads a piece; false: that was all, and all is well.
    mutating func step() throws(SnapshotError) -> Bool {
        guard var decoder = decoder.take() else { return false }
        guard let piece = try nextPiece() else {
            do throws(StateError) { try decoder.finishComparison() } catch {
                throw failure(error.finding)
            }
            return false
        }
        do throws(StateError) { try decoder.append(piece) } catch { throw failure(error.finding) }
        self.decoder = consume decoder
        return true
    }

    private func nextPiece() throws(SnapshotError) -> UnsafeRawBufferPointer? {
        do throws(SnapshotError) { return try reader.next() } catch {
            guard case .damaged(let damage) = error.code else { throw error }
            throw failure("at byte \(error.offsetBytes): \(damage)")
        }
    }

    private func failure(_ problem: String) -> SnapshotError {
        SnapshotError(.readBack(problem), file: reader.path)
    }
}
