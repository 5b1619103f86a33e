import KeyStore
import State
import Storage
package import StorageIO

/// `store`: the keys as of the end of the committed log, or of some moment in it.
package struct StoreDump {
    package var directory = ""
    package var walDirectory: String?
    package var archive: String?
    package var moment = Moment.end
    /// A path of the store: `/1` is the clients' `/`.
    package var path = ""
    package var showsValues = false
    package var isJSON = false

    package init() {}

    package func run(
        _ storage: some FileStorage, _ output: Output, _ progress: Progress
    ) throws(DumpError) -> Bool {
        let files = try MemberFiles.find(directory, wal: walDirectory, storage: storage)
        let source = try StateSource.load(
            files, archive: archive, until: moment, storage, progress)
        progress.end()
        let (state, image) = (source.state, source.state.image())
        if isJSON {
            var line = JSONLine()
            line.number("index", state.appliedIndex)
            line.number("term", state.appliedTerm)
            line.number("storeIndex", image.store.currentIndex)
            line.string("hash", ByteText.hex(state.contentHash, digits: 16))
            line.number("nodes", image.nodeCount)
            if image.clusterTime > 0 { line.string("clusterTime", Moment.text(image.clusterTime)) }
            output.line(line)
        } else {
            let time = image.clusterTime > 0 ? ", \(Moment.text(image.clusterTime))" : ""
            output.line(
                "# index \(state.appliedIndex) (term \(state.appliedTerm)), store index "
                    + "\(image.store.currentIndex), \(image.nodeCount) nodes, hash "
                    + "\(ByteText.hex(state.contentHash, digits: 16))\(time)")
        }
        var listing = NodeListing()
        (listing.prefix, listing.showsValues) = (Array(path.utf8), showsValues)
        listing.isJSON = isJSON
        listing.write(image.store, to: output)
        return true
    }
}
