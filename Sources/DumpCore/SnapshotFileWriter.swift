import State
import StateFiles
import Storage
import StorageIO

/// Writes a state as one snapshot file of any name.
enum SnapshotFileWriter {
    private static let pieceBytes = 1 << 20

    /// Under a temporary name until it is durable; nothing of that name is overwritten. The file's
    /// size.
    static func write(
        _ image: StateImage, _ header: SnapshotHeader, to path: String, storage: some FileStorage,
        _ progress: Progress
    ) throws(DumpError) -> Int {
        let temporary = "\(path).tmp"
        progress.begin("writing \(path)", totalBytes: 0)
        do throws(StorageError) {
            guard try storage.kind(of: path) == nil else {
                throw StorageError(.open, path, code: 17)  // EEXIST
            }
            do throws(StorageError) {
                let bytes = try fill(
                    try storage.open(temporary, for: .replacing), image, header, progress)
                try storage.rename(temporary, to: path)
                try storage.syncDirectory(parentPath(of: path))
                return bytes
            } catch {
                // Half a backup is none. What cannot be removed has a name that says so.
                try? storage.remove(temporary)
                throw error
            }
        } catch {
            throw DumpError("\(error)")
        }
    }

    private static func fill(
        _ file: some StorageFile, _ image: StateImage, _ header: SnapshotHeader,
        _ progress: Progress
    ) throws(StorageError) -> Int {
        var stream = SnapshotStream(image, header, pieceBytes: pieceBytes)
        var written = 0
        while let piece = stream.next() {
            try file.write(piece, at: written)
            written += piece.count
            progress.add(piece.count)
        }
        try file.sync()
        return written
    }
}
