import RaftModel
import State
import StateFiles
import Storage
import StorageIO

/// `kvd-dump verify`: reads every byte of every file, and says of each whether it is what was
/// written.
package struct Verification {
    private let output: Output
    private let storage = PosixStorage()
    private var isWhole = true

    /// Returns whether all is whole.
    package static func run(_ path: String, _ output: Output) throws(DumpError) -> Bool {
        var verification = Verification(output)
        switch try DataDirFinder.find(path) {
        case .file(let file): try verification.verify(file: file)
        case .dirs(let dirs): try verification.verify(dirs)
        }
        return verification.isWhole
    }

    private init(_ output: Output) { self.output = output }

    private mutating func report(_ file: String, _ problem: String?, _ fine: String = "") {
        if let problem {
            isWhole = false
            output.line("\(file): DAMAGED: \(problem)")
        } else {
            output.line("\(file): ok\(fine.isEmpty ? "" : ", \(fine)")")
        }
    }

    private mutating func verify(_ dirs: DataDirFinder.Dirs) throws(DumpError) {
        if try DataDirFinder.exists(dirs.wal) { try verifyLog(dirs.wal) }
        if try DataDirFinder.exists(dirs.snap) {
            let snapshots = SnapshotDirectory(dirs.snap, storage: storage)
            for name in try DumpError.catching({ try snapshots.list() }).reversed() {
                verify(name, in: snapshots)
            }
        }
        try verifyRecords(dirs.member)
    }

    private mutating func verifyLog(_ wal: String) throws(DumpError) {
        var progress = Progress("reading the log")
        var count = 0
        let summary: LogScanSummary
        do throws(WALError) {
            summary = try LogScan.run(wal, storage: storage) { _ in
                count += 1
                progress.show("\(count) records")
                return true
            }
        } catch {
            return report(wal, "\(error)")
        }
        progress.end()
        let files = Set(summary.damage.map(\.file))
        for segment in summary.segments {
            let path = "\(wal)/\(segment.name)"
            if files.contains(path) { continue }
            let range = segment.indices.map { ", entries \($0.lowerBound) to \($0.upperBound)" }
            report(path, nil, "\(segment.recordCount) records\(range ?? "")")
        }
        for damage in summary.damage { report(damage.file, "\(damage)") }
        if let cut = summary.cut {
            output.line(
                "\(cut.file): note: \(cut.bytes) bytes of an unfinished write at byte \(cut.offsetBytes)"
            )
        }
    }

    private mutating func verify(
        _ name: SnapshotName, in snapshots: SnapshotDirectory<PosixStorage>
    ) {
        let path = snapshots.path(of: name)
        do throws(SnapshotLoader.Failure) {
            let loaded = try SnapshotLoader(snapshots).load(name)
            report(path, nil, Self.facts(loaded.image))
        } catch {
            report(path, "\(error)")
        }
    }

    private static func facts(_ image: StateImage) -> String {
        "index \(image.index), term \(image.term), \(image.nodeCount) keys, content hash "
            + String(image.contentHash, radix: 16)
    }

    private mutating func verifyRecords(_ member: String) throws(DumpError) {
        let vote = "\(member)/vote"
        if try DataDirFinder.exists(vote) {
            do throws(StorageError) {
                let found = try VoteRecord.inspect(vote, storage: storage)
                report(
                    vote, found.isDamaged ? "no slot of it can be read" : nil,
                    found.promise.map { "term \($0.term), vote \($0.vote)" } ?? "nothing promised")
            } catch {
                report(vote, "\(error)")
            }
        }
        let mark = "\(member)/mark"
        if try DataDirFinder.exists(mark) {
            do throws(StorageError) {
                let found = try CommitMark.inspect(mark, storage: storage)
                report(
                    mark, found == nil ? "no slot of it can be read" : nil, "applied \(found ?? 0)")
            } catch {
                report(mark, "\(error)")
            }
        }
    }

    // MARK: Single files

    private mutating func verify(file: String) throws(DumpError) {
        let name = String(file.split(separator: "/").last ?? "")
        if let segment = WALSegmentName(name) { return try verify(segment, file) }
        do throws(SnapshotError) {
            let reader = try SnapshotReader(file, storage: storage)
            do throws(SnapshotLoader.Failure) {
                report(file, nil, Self.facts(try SnapshotLoader.decode(reader)))
            } catch {
                report(file, "\(error)")
            }
        } catch {
            if SnapshotName(name)?.format == .etcd { return try verifyEtcd(file) }
            report(file, "\(error)")
        }
    }

    private mutating func verifyEtcd(_ file: String) throws(DumpError) {
        let bytes = try DumpError.catching { try storage.open(file, for: .reading).readAll() }
        do {
            let image = try bytes.withUnsafeBytes { bytes in
                try EtcdSnapshot.decode(bytes, crc32c: { CRC32C.of($0) })
            }
            report(file, nil, Self.facts(image))
        } catch {
            report(file, "\(error)")
        }
    }

    /// A segment alone: the log from it on, as far as it is that segment's.
    private mutating func verify(_ segment: WALSegmentName, _ file: String) throws(DumpError) {
        let directory = String(file.dropLast("/\(segment)".utf8.count))
        var count = 0
        let summary: LogScanSummary
        do throws(WALError) {
            summary = try LogScan.run(
                directory.isEmpty ? "." : directory, storage: storage, from: segment.firstIndex
            ) { record in
                if record.segment == segment { count += 1 }
                return record.segment.sequence <= segment.sequence
            }
        } catch {
            return report(file, "\(error)")
        }
        report(
            file, summary.damage.first { $0.file.hasSuffix("\(segment)") }.map { "\($0)" },
            "\(count) records")
    }
}
