import Cluster
import KeyStore
import RaftModel
import State
package import StateFiles
import Storage
import StorageIO

/// `kvd-dump snap` and `store`: what a snapshot, or a whole dir at some moment, holds.
package struct StoreDump {
    package struct Options: Sendable {
        /// Only what lies at or below it; as clients write keys.
        package var prefix: String?
        package var showsKeys = false
        package var showsValues = false
        package var isJSON = false

        package init() {}
    }

    /// `snap`: of a file, or of the newest in a dir.
    package static func snapshot(
        _ path: String, _ options: Options, _ output: Output
    ) throws(DumpError) {
        let file: String
        switch try DataDirFinder.find(path) {
        case .file(let found): file = found
        case .dirs(let dirs):
            let snapshots = SnapshotDirectory(dirs.snap, storage: PosixStorage())
            guard let newest = try DumpError.catching({ try snapshots.list() }).first else {
                throw DumpError("\(dirs.snap) holds no snapshot.")
            }
            file = snapshots.path(of: newest)
        }
        let (image, header, fileBytes) = try load(file)
        if !options.isJSON { write(image, header, file, fileBytes, output) }
        if options.showsKeys || options.isJSON { write(image, options, output) }
    }

    /// `store`: at the end of what is committed, or at a moment before.
    package static func store(
        _ path: String, at limit: StateReplay.Limit, archive: String?, _ options: Options,
        _ output: Output
    ) throws(DumpError) {
        let dirs = try DataDirFinder.dirs(path)
        let replay = try DumpError.catching {
            try StateReplay.run(
                snapPath: dirs.snap, walPath: dirs.wal, archive: archive, until: limit)
        }
        let image = replay.state.image()
        if !options.isJSON {
            output.line(
                "index \(image.index), term \(image.term), store index \(image.store.currentIndex), "
                    + "\(image.nodeCount) keys, content hash \(hex(image.contentHash))")
        }
        write(image, options, output)
    }

    /// A snapshot file of either kind.
    static func load(
        _ file: String
    ) throws(DumpError) -> (StateImage, SnapshotHeader?, fileBytes: Int) {
        let storage = PosixStorage()
        let name = SnapshotName(String(file.split(separator: "/").last ?? ""))
        return try DumpError.catching {
            let size = try storage.open(file, for: .reading).sizeBytes()
            if name?.format == .etcd {
                let bytes = try storage.open(file, for: .reading).readAll()
                let image = try bytes.withUnsafeBytes {
                    try EtcdSnapshot.decode($0, crc32c: { CRC32C.of($0) })
                }
                return (image, nil, size)
            }
            let reader = try SnapshotReader(file, storage: storage)
            return (try SnapshotLoader.decode(reader), reader.header, size)
        }
    }

    private static func hex(_ hash: UInt64) -> String { String(hash, radix: 16) }

    private static func write(
        _ image: StateImage, _ header: SnapshotHeader?, _ file: String, _ fileBytes: Int,
        _ output: Output
    ) {
        output.line("file       \(file), \(fileBytes) bytes")
        if let header {
            output.line("written by member \(header.member) of cluster \(header.cluster)")
            output.line("written at \(CivilTime(unixNanoseconds: header.createdAt).rfc3339)")
            var encoder = StateEncoder(image)
            var stateBytes = 0
            while encoder.next({ stateBytes += $0.count }) {}
            let ratio = Double(stateBytes) / Double(max(1, fileBytes))
            output.line(
                "state      \(stateBytes) bytes, compressed \(Double(Int(ratio * 100)) / 100) to 1")
        }
        output.line("index      \(image.index), term \(image.term)")
        let voters = image.confState.members.map { "\($0)" }.joined(separator: " ")
        output.line("voters     \(voters)")
        if image.clusterTime > 0 {
            output.line("clock      \(CivilTime(unixNanoseconds: image.clusterTime).rfc3339)")
        }
        output.line(
            "store      index \(image.store.currentIndex), \(image.nodeCount) keys, "
                + "\(image.eventCount) events, content hash \(hex(image.contentHash))")
    }

    // MARK: Keys

    private static func write(_ image: StateImage, _ options: Options, _ output: Output) {
        var walk = image.store.walk()
        var paths = [""]
        let wanted = options.prefix.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
        while let step = walk.next() {
            switch step {
            case .close: paths.removeLast()
            case .file(let node), .open(let node):
                let name = node.withName { String(decoding: $0, as: UTF8.self) }
                let path = "\(paths[paths.count - 1])/\(name)"
                if case .open = step { paths.append(path) }
                if let wanted, !isBelow(path, wanted) { continue }
                output.line(options.isJSON ? json(node, path) : text(node, path, options))
            }
        }
    }

    /// Keys of clients are below `/1`; other paths are written out whole.
    private static func isBelow(_ path: String, _ prefix: String) -> Bool {
        let full = prefix.hasPrefix("/0") || prefix.hasPrefix("/1/") ? prefix : "/1\(prefix)"
        return path == full || path.hasPrefix("\(full)/") || full == "/1"
    }

    private static func text(_ node: Node, _ path: String, _ options: Options) -> String {
        var line = Escape.text(Array(path.utf8), limit: .max)
        if node.isDirectory { line += "/" }
        line += "  created \(node.createdIndex)  modified \(node.modifiedIndex)"
        if !node.isDirectory { line += "  \(node.valueBytesCount) B" }
        if node.expiration != 0 {
            line += "  expires \(CivilTime(unixNanoseconds: node.expiration).rfc3339)"
        }
        if options.showsValues, !node.isDirectory {
            line += "  \"\(Escape.text(node.withValue { Array($0) }, limit: .max))\""
        }
        return line
    }

    private static func json(_ node: Node, _ path: String) -> String {
        var json = JSONText()
        json.raw("{\"key\":")
        json.string(path.hasPrefix("/1/") ? String(path.dropFirst(2)) : path)
        json.raw(",\"path\":")
        json.string(path)
        if node.isDirectory {
            json.raw(",\"dir\":true")
        } else {
            json.raw(",\"value\":")
            let value = node.withValue { Array($0) }
            json.string(String(decoding: value, as: UTF8.self))
            if !Escape.isUTF8(value) {
                json.raw(",\"valueBase64\":")
                json.string(Escape.base64(value))
            }
        }
        if node.expiration != 0 {
            json.raw(
                ",\"expiration\":\"\(CivilTime(unixNanoseconds: node.expiration).rfc3339)\"")
        }
        json.raw(",\"modifiedIndex\":\(node.modifiedIndex)")
        json.raw(",\"createdIndex\":\(node.createdIndex)}")
        return String(decoding: json.bytes, as: UTF8.self)
    }
}
