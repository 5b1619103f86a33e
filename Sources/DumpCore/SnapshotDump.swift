import Cluster
import KeyStore
import RaftModel
import State
import Storage
package import StorageIO

/// `snap`: what a snapshot is of, how large it is, and which keys it has.
package enum SnapshotDump {
    /// `path`: a snapshot or backup file, or a member's dir: all its snapshots. False: one of them
    /// is damaged.
    package static func run(
        _ path: String, keys: Bool, isJSON: Bool, _ storage: some FileStorage, _ output: Output,
        _ progress: Progress
    ) throws(DumpError) -> Bool {
        var isWell = true
        for file in try self.files(path, storage) {
            do throws(DumpError) {
                let source = try SnapshotSource.load(file, storage: storage, progress)
                progress.end()
                if isJSON {
                    output.line(json(file, source))
                } else {
                    write(file, source, to: output)
                }
                guard keys else { continue }
                var listing = NodeListing()
                listing.isJSON = isJSON
                listing.write(source.image.store, to: output)
            } catch {
                progress.end()
                isWell = false
                output.line(isJSON ? damaged(file, error) : "\(error)")
            }
        }
        return isWell
    }

    private static func files(
        _ path: String, _ storage: some FileStorage
    ) throws(DumpError) -> [String] {
        let kind = try DumpError.catching { () throws(StorageError) in
            try storage.kind(of: path)
        }
        if kind == .file { return [path] }
        guard kind != nil else { throw DumpError("\(path) does not exist. Check the path.") }
        let own = SnapshotDirectory(path, storage: storage)
        var names = try DumpError.catching { () throws(StorageError) in try own.list() }
        if !names.isEmpty { return names.map { own.path(of: $0) } }
        let files = try MemberFiles.find(path, storage: storage)
        guard let snapPath = files.snapPath else {
            throw DumpError("\(path) is a log's dir, without snapshots. Name the data dir.")
        }
        let directory = SnapshotDirectory(snapPath, storage: storage)
        names = try DumpError.catching { () throws(StorageError) in
            try storage.kind(of: snapPath) == .directory ? try directory.list() : []
        }
        guard !names.isEmpty else { throw DumpError("\(snapPath) has no snapshot yet.") }
        return names.map { directory.path(of: $0) }
    }

    private static func damaged(_ file: String, _ error: DumpError) -> String {
        var line = JSONLine()
        line.string("file", file)
        line.string("damage", "\(error)")
        return String(decoding: line.bytes, as: UTF8.self)
    }

    private static func write(_ file: String, _ source: SnapshotSource, to output: Output) {
        let image = source.image
        output.line(file)
        if let header = source.header {
            output.line("  format:       kvd 1")
            output.line("  written by:   member \(header.member) of cluster \(header.cluster)")
            output.line("  written at:   \(Moment.text(header.createdAt))")
        } else {
            output.line("  format:       etcd 2 JSON")
        }
        output.line("  index:        \(image.index) (term \(image.term))")
        let voters = image.confState.members.map { "\($0)" }.joined(separator: ", ")
        output.line("  members:      \(voters)")
        if image.clusterTime > 0 {
            output.line("  cluster time: \(Moment.text(image.clusterTime))")
        }
        output.line("  store index:  \(image.store.currentIndex)")
        output.line("  hash:         \(ByteText.hex(image.contentHash, digits: 16))")
        output.line("  nodes:        \(image.nodeCount)")
        output.line("  events:       \(image.eventCount)")
        output.line(
            "  bytes:        \(source.fileBytes), of \(source.stateBytes) uncompressed"
                + (source.header == nil ? "" : " (\(ratio(source)) : 1)"))
    }

    /// With one decimal.
    private static func ratio(_ source: SnapshotSource) -> String {
        let tenths = source.stateBytes * 10 / max(1, source.fileBytes)
        return "\(tenths / 10).\(tenths % 10)"
    }

    private static func json(_ file: String, _ source: SnapshotSource) -> JSONLine {
        let image = source.image
        var line = JSONLine()
        line.string("file", file)
        line.string("format", source.header == nil ? "etcd2" : "kvd1")
        if let header = source.header {
            line.string("member", "\(header.member)")
            line.string("cluster", "\(header.cluster)")
            line.string("createdAt", Moment.text(header.createdAt))
        }
        line.number("index", image.index)
        line.number("term", image.term)
        line.strings("members", image.confState.members.map { "\($0)" })
        if image.clusterTime > 0 { line.string("clusterTime", Moment.text(image.clusterTime)) }
        line.number("storeIndex", image.store.currentIndex)
        line.string("hash", ByteText.hex(image.contentHash, digits: 16))
        line.number("nodes", image.nodeCount)
        line.number("events", image.eventCount)
        line.number("fileBytes", source.fileBytes)
        line.number("stateBytes", source.stateBytes)
        return line
    }
}
