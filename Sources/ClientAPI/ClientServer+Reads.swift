internal import KVServer
internal import KeyStore

/// Plain GETs. Source: `reference/client-api.md` §4; pages and counts are kvd's own (`PageRequest`).
extension ClientServer {
    /// Answers from the store, or from an earlier version of it that the request names.
    func read(_ path: UnsafeRawBufferPointer, _ keys: KeysRequest) -> Handling {
        let version = keys.page.version
        guard version != 0, version != engine.store.currentIndex else {
            return read(path, keys, in: engine.store.tree)
        }
        guard let tree = keptVersions.version(version, now: Self.monotonicNanoseconds()) else {
            return .answer(
                keysError(
                    .eventIndexCleared,
                    cause: "this member does not keep version \(version) (any more): "
                        + "ask it for the first page again",
                    index: engine.store.currentIndex))
        }
        return read(path, keys, in: tree)
    }

    private func read(
        _ path: UnsafeRawBufferPointer, _ keys: KeysRequest, in tree: borrowing Tree
    ) -> Handling {
        do throws(StoreError) {
            if keys.isRecursive { meter.readRecursively() }
            let node = try engine.store.get(path, in: tree)
            return list(node, ByteWriter.clientKey(path), keys, of: tree)
        } catch {
            return .answer(answer(to: error))
        }
    }

    private func list(
        _ node: Node, _ key: UnsafeRawBufferPointer, _ keys: KeysRequest, of tree: borrowing Tree
    ) -> Handling {
        let page = keys.page
        guard let after = page.relativeAfter(in: key), after.isEmpty || Node.isClean(after) else {
            let fault = KeysFault(
                .invalidField, "\"after\" must be a key in the directory that is read")
            return .answer(answer(to: fault))
        }
        let plan = ListingPlan(
            isRecursive: keys.isRecursive, keysOnly: page.keysOnly, isCount: page.isCount,
            limit: page.limit, now: node.expires ? engine.clusterTime : 0, version: tree.index)
        let isWhole = listing.begin(node, key: key, after: after, plan, into: &body)
        if page.limit != .max, listing.isCut || !isWhole {
            keptVersions.keep(copy tree, now: Self.monotonicNanoseconds())
        }
        let answer = Answer.keys(.ok, storeIndex: tree.index, at: appliedNow)
        guard !isWhole else { return .answer(answer) }
        var writer = ListingWriter()
        swap(&writer, &listing)
        return .stream(
            BodyOpening(
                answer: answer, stream: ListingStream(begun: Array(body.bytes), writer)))
    }
}

/// The rest of a listing that is too large to be written on the loop.
///
/// `@unchecked Sendable`: one thread at a time uses it, as `BodyStream` says, and what it reads is
/// an immutable version of the store.
private final class ListingStream: BodyStream, @unchecked Sendable {
    private var begun: [UInt8]?
    private var writer: ListingWriter
    private var piece = ByteWriter(capacity: ListingWriter.pieceBytesMax + 4096)
    private var isDone = false

    init(begun: [UInt8], _ writer: consuming ListingWriter) {
        self.begun = begun
        self.writer = writer
    }

    func next() -> [UInt8]? {
        if let bytes = begun.take() { return bytes }
        guard !isDone else { return nil }
        piece.removeAll()
        isDone = writer.resume(into: &piece)
        return Array(piece.bytes)
    }
}

extension Node {
    /// Whether an answer with this node, or with nodes below it, may need the time.
    fileprivate var expires: Bool { isDirectory || expiration != 0 }
}
