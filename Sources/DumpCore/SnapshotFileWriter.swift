import State
import Storage
import StorageIO

/// Writes a state as one snapshot file of any name.
enum SnapshotFileWriter {
    struct Written {
        var fileBytes: Int
    }

    private static let pieceBytes = 1 << 20

    /// Under a temporary name until it is durable; nothing of that name is overwritten.
    static func write(
        _ image: StateImage, _ header: SnapshotHeader, to path: String, storage: some FileStorage,
        _ progress: Progress
    ) throws(DumpError) -> Written {
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
                try storage.syncDirectory(parent(of: path))
                return Written(fileBytes: bytes)
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
        let container = SnapshotEncoder(header)
        var state = StateEncoder(image)
        var buffer: [UInt8] = []
        var written = 0
        container.start { buffer += $0 }
        var hasMore = true
        while hasMore {
            hasMore = state.next { piece in container.append(piece) { buffer += $0 } }
            if !hasMore { container.finish { buffer += $0 } }
            guard buffer.count >= pieceBytes || !hasMore else { continue }
            try file.write(buffer, at: written)
            written += buffer.count
            progress.add(buffer.count)
            buffer.removeAll(keepingCapacity: true)
        }
        try file.sync()
        return written
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
