import KeyStore
import RaftModel
import State
import StateFiles
import Storage
package import StorageIO

/// `backup`: a member's store at the end of its committed log, as one snapshot file.
package struct Backup {
    package var directory = ""
    package var walDirectory: String?
    /// Where closed segments of the log are kept, compressed.
    package var archive: String?
    package var file = ""
    package var moment = Moment.end
    /// The wall clock, in Unix nanoseconds.
    package var now: Int64 = 0
    package var isJSON = false

    package init() {}

    package func run(
        _ storage: some FileStorage, _ output: Output, _ progress: Progress
    ) throws(DumpError) -> Bool {
        let files = try MemberFiles.find(directory, wal: walDirectory, storage: storage)
        let source = try StateSource.load(
            files, archive: archive, until: moment, storage, progress)
        let image = source.state.image()
        guard image.index > 0 else {
            throw DumpError(
                "\(directory): nothing is committed yet, so there is nothing to back up.")
        }
        let header = SnapshotHeader(
            image, member: source.metadata.memberID, cluster: source.metadata.clusterID,
            createdAt: now)
        let fileBytes = try SnapshotFileWriter.write(
            image, header, to: file, storage: storage, progress)
        progress.end()
        report(image, fileBytes, to: output)
        return true
    }

    private func report(_ image: StateImage, _ bytes: Int, to output: Output) {
        let hash = ByteText.hex(image.contentHash, digits: 16)
        guard isJSON else {
            return output.line(
                "\(file): index \(image.index) (term \(image.term)), \(image.nodeCount) nodes, hash "
                    + "\(hash), \(bytes) bytes")
        }
        var line = JSONLine()
        line.string("file", file)
        line.number("index", image.index)
        line.number("term", image.term)
        line.number("nodes", image.nodeCount)
        line.string("hash", hash)
        line.number("bytes", bytes)
        output.line(line)
    }
}
