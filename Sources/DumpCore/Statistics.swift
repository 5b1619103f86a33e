import Cluster
import KeyStore
import RaftModel
import State
import StateFiles
import Storage
import StorageIO

/// `kvd-dump stat`: whose data dir it is, what is in it, and what a start would do.
package struct Statistics {
    package static func run(_ path: String, _ output: Output) throws(DumpError) {
        let dirs = try DataDirFinder.dirs(path)
        let storage = PosixStorage()
        let snapshots = SnapshotDirectory(dirs.snap, storage: storage)
        let names =
            try DataDirFinder.exists(dirs.snap) ? DumpError.catching { try snapshots.list() } : []
        let summary = try DumpError.catching {
            try LogScan.run(dirs.wal, storage: storage) { _ in true }
        }
        let replay = try DumpError.catching {
            try StateReplay.run(snapPath: dirs.snap, walPath: dirs.wal)
        }
        let writers = Set(summary.segments.map(\.writer))
        output.line("dir        \(dirs.member), \(kind(writers, names))")
        output.line(
            "member     \(replay.metadata.memberID) of cluster \(replay.metadata.clusterID)")
        for member in replay.state.membership.members {
            let urls = member.peerURLs.joined(separator: ",")
            let name = member.name.isEmpty ? "not started yet" : member.name
            output.line("           \(member.id)  \(name)  \(urls)")
        }
        if let version = replay.state.clusterVersion { output.line("version    \(version)") }
        let state = replay.hardState
        output.line("state      term \(state.term), vote \(state.vote), commit \(state.commit)")
        output.line(
            "store      index \(replay.state.store.currentIndex), "
                + "\(replay.state.image().nodeCount) keys, content hash "
                + String(replay.state.contentHash, radix: 16))
        try writeFiles(summary, names, snapshots, output)
        writeStart(replay, output)
    }

    private static func kind(
        _ writers: Set<RecoveryReport.Writer>, _ names: [SnapshotName]
    ) -> String {
        if writers.contains(.kvd) {
            return writers.count == 1 ? "written by kvd" : "written by etcd, gone on with by kvd"
        }
        return writers.contains(.etcd3) ? "written by etcd 3" : "written by etcd 2"
    }

    private static func writeFiles(
        _ summary: LogScanSummary, _ names: [SnapshotName],
        _ snapshots: SnapshotDirectory<PosixStorage>, _ output: Output
    ) throws(DumpError) {
        for name in names {
            let size = try DumpError.catching {
                try snapshots.storage.open(snapshots.path(of: name), for: .reading).sizeBytes()
            }
            output.line("snapshot   \(name)  \(size) bytes")
        }
        for segment in summary.segments {
            let range = segment.indices.map { "entries \($0.lowerBound) to \($0.upperBound)" }
            output.line(
                "segment    \(segment.name)  \(segment.endBytes) of \(segment.sizeBytes) bytes, "
                    + (range ?? "no entries"))
        }
        for damage in summary.damage { output.line("DAMAGE     \(damage)") }
    }

    private static func writeStart(_ replay: StateReplay, _ output: Output) {
        let base = replay.snapshotName.map { "snapshot \($0)" } ?? "nothing"
        output.line(
            "a start    would begin from \(base) and replay \(replay.replayedCount) entries")
        for note in replay.report.notes(lastIndex: replay.hardState.commit) {
            output.line("note       \(note)")
        }
    }
}
