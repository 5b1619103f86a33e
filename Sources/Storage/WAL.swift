public import RaftModel
public import StorageIO

public struct WALOptions: Sendable {
    /// A segment that would grow beyond this is full.
    public var segmentBytes = StorageDefaults.segmentBytes
    /// Whether new segments are written full of zeros before they are used. Costs their size in
    /// writes; a sync of blocks that were written before is up to 40 % faster than a sync of
    /// blocks that are only reserved.
    public var writesZerosAhead = true
    /// How many released segments are kept to be overwritten. A sync of blocks that were written
    /// before is quicker, and nothing has to be allocated.
    public var recycledSegmentsMax = 2
    /// `--max-wals`: released segments stay while there are no more than this; 0: all stay.
    public var segmentFilesMax = 5
    /// Whether a file of a segment's size is kept in reserve for when the disk is full.
    public var keepsReserve = true
    /// `--wal-archive`: where closed segments are kept, compressed; nil: nowhere.
    public var archiveDirectory: String?
    /// How long after a failure archiving is tried again.
    var archiveRetryAfter = Duration.seconds(30)
    /// How long a full disk is left alone before it is tried again.
    var retryAfter = Duration.seconds(1)

    public init() {}
}

/// The write-ahead log, open for appending.
///
/// Synchronous and of one thread: `LogWriter` gives it a thread of its own, a simulator calls it
/// directly. `append` puts into memory, `write` into the file, `sync` makes durable; each batch
/// begins with a sync marker (`WALMarker`) and is there as a whole or not at all after a crash.
///
/// After an error other than `.tooLong` the log is closed: what is on the disk is unknown then,
/// and every later call throws the same error again.
public final class WAL<IO: FileStorage> {
    let storage: IO
    let directory: String
    let options: WALOptions
    public let metadata: WALMetadata

    /// The segment being written, its lock held.
    var file: IO.File
    public internal(set) var segment: WALSegmentName
    var buffer: BatchBuffer
    /// End of the last batch written to the segment: where the next one goes.
    public internal(set) var writtenBytes: Int
    /// Everything in the segment before it is synced.
    public internal(set) var durableBytes: Int
    /// Everything in the segment before it is named durable by a marker that was written.
    package internal(set) var vouchedBytes: Int
    /// The last index saved; a snapshot record may be ahead of the entries.
    public internal(set) var lastIndex: UInt64
    /// The state as saved by the batches written.
    public internal(set) var hardState: HardState
    /// The state to be saved by the batch in the buffer, behind its entries.
    private var pendingState: HardState?
    var failure: WALError?
    var preparation = PreparationState<IO>.none
    var preparationCount = 0

    /// The segments before this one that are in the dir, oldest first.
    var closed: [WALSegmentName]
    /// Released ones, to be overwritten.
    var recycled: [String] = []
    var releasedIndex: UInt64 = 0
    /// Whether there may be something to release that was not seen yet.
    var mayRelease = false
    var isReleasing = false

    /// Segments before this number are in the archive, or gone without.
    var archivedEnd: UInt64 = 0
    var isArchiving = false

    var reserve = ReserveState.missing
    /// Told of every call that failed for a full disk and did not close the log.
    package var noteOutOfSpace: ((StorageError) -> Void)?
    /// Asked when the disk is full and there is no reserve: waits, and says whether to try
    /// again. It may call the log's other methods, but for those that append, write and sync.
    package var waitForSpace: (() -> Bool)?

    init(
        storage: IO, directory: String, options: WALOptions, metadata: WALMetadata,
        file: IO.File, position: LogPosition, closed: [WALSegmentName] = [],
        lastIndex: UInt64, hardState: HardState
    ) {
        precondition(options.segmentBytes >= WALFormat.pageBytes)
        self.storage = storage
        self.directory = directory
        self.options = options
        self.metadata = metadata
        self.file = file
        segment = position.segment
        buffer = BatchBuffer(rolling: position.rolling)
        writtenBytes = position.endBytes
        durableBytes = position.endBytes
        vouchedBytes = 0
        self.closed = closed
        self.lastIndex = lastIndex
        self.hardState = hardState
    }

    /// What an entry's encoding takes on top of its data, at most.
    private static var entryFieldBytesMax: Int { 2 + 11 + 11 + 11 }

    /// Puts entries and a state into the batch; entries first, as a state may commit them.
    ///
    /// `entries` replace what was saved from `entries[0].index` on. Nil: the state is unchanged.
    /// Throws `.tooLong` without having taken any of it.
    public func append(hardState: HardState?, entries: [Entry]) throws(WALError) {
        try checkOpen()
        var (last, bytes, largest) = (lastIndex, 0, 0)
        // A span lends its elements: iterating over the array would retain each one's data.
        let span = entries.span
        for i in span.indices {
            let index = span[i].index
            precondition(index <= last + 1, "entry \(index) after \(last)")
            last = index
            bytes += span[i].data.count
            largest = max(largest, span[i].data.count)
        }
        guard largest <= WALFormat.recordBytesMax - Self.entryFieldBytesMax else {
            let dataBytes = largest + Self.entryFieldBytesMax
            let code = WALError.Code.tooLong(bytes: dataBytes, limit: WALFormat.recordBytesMax)
            throw WALError(code, file: file.path, offsetBytes: writtenBytes)
        }
        let overheadBytes = Self.entryFieldBytesMax + WALFormat.overheadBytesMax
        try begin(roomFor: bytes + entries.count * overheadBytes)
        buffer.add(entries)
        lastIndex = last
        if let hardState, !hardState.isEmpty { pendingState = hardState }
    }

    /// Puts a snapshot record into the batch. The snapshot itself must be durable by now.
    public func append(_ snapshot: WALSnapshotRecord) throws(WALError) {
        try checkOpen()
        let data = snapshot.encoded
        try begin(roomFor: data.count + WALFormat.overheadBytesMax)
        buffer.add(.snapshot, data)
        lastIndex = max(lastIndex, snapshot.index)
    }

    /// The one being written, and those before it that are in the dir.
    package var segmentCount: Int { closed.count + 1 }

    /// Bytes in the batch that is not written yet.
    public var bufferedBytes: Int { buffer.count }

    /// Writes the batch, if there is one, without making it durable.
    public func write() throws(WALError) {
        try checkOpen()
        guard !buffer.isEmpty else { return }
        if let pendingState {
            buffer.add(pendingState)
            hardState = pendingState
            self.pendingState = nil
        }
        buffer.seal()
        // In one piece: a disk takes one large write faster than pieces of it, even if the first
        // of them can start while the rest is still being put together. Measured: half as fast.
        // Nothing was synced since, so the same bytes can be written to the same place again.
        try attempt(waitingForSpace: true) { () throws(StorageError) in
            try file.write(buffer.paddedBytes(writtenAt: writtenBytes), at: writtenBytes)
        }
        writtenBytes += buffer.count
        vouchedBytes = durableBytes
        buffer.clear()
    }

    /// Writes the batch and makes everything written so far durable.
    public func sync() throws(WALError) {
        try write()
        guard durableBytes < writtenBytes else { return }
        try attempt { () throws(StorageError) in try file.sync() }
        durableBytes = writtenBytes
    }

    /// Whether a marker says so of everything that is durable.
    package var isMarked: Bool { failure != nil || vouchedBytes >= durableBytes }

    /// Writes a marker, unsynced, if something is durable that no marker says is. To be called
    /// when there is nothing else to do.
    public func markIdle() throws(WALError) {
        try checkOpen()
        guard buffer.isEmpty, !isMarked else { return }
        try begin(roomFor: 0)
        try write()
    }

    /// The clean stop: all of it durable, and a durable marker that says so. Closes the log.
    public func close() throws(WALError) {
        try sync()
        try begin(roomFor: 0)
        try sync()
        failure = WALError(.closed, file: file.path, offsetBytes: writtenBytes)
    }

    func checkOpen() throws(WALError) {
        if let failure { throw failure }
    }

    /// Starts a batch if none is begun, in a new segment if this one has not `size` bytes left.
    private func begin(roomFor size: Int) throws(WALError) {
        let frames = size + WALFormat.overheadBytesMax * 2 + WALMarker.sizeBytes + 64
        let end = writtenBytes + buffer.count + frames
        if end > options.segmentBytes, writtenBytes > WALFormat.pageBytes / 2 {
            try write()
            try cut()
        }
        guard buffer.isEmpty else { return }
        buffer.begin(
            WALMarker(
                sequence: segment.sequence, offset: UInt64(writtenBytes),
                durable: UInt64(durableBytes)))
    }

    /// Runs calls to the disk; the first that fails closes the log. `waitingForSpace`: of a call
    /// that can be made again after the disk was full, if `waitForSpace` says so.
    func attempt<Result>(
        waitingForSpace: Bool = false, _ body: () throws(StorageError) -> Result
    ) throws(WALError) -> Result {
        while true {
            do throws(StorageError) { return try body() } catch {
                if waitingForSpace, mayWaitForSpace(error) { continue }
                throw close(error)
            }
        }
    }

    /// Whether `error` is a full disk, and it is wished to try again.
    func mayWaitForSpace(_ error: StorageError) -> Bool {
        // What a sync failed to write is lost, whatever the reason: it is not called again.
        guard error.isOutOfSpace, error.operation != .sync, error.operation != .syncDirectory
        else { return false }
        guard let waitForSpace else { return false }
        noteOutOfSpace?(error)
        return waitForSpace()
    }

    func close(_ error: StorageError) -> WALError {
        let failure = WALError(.storage(error), file: file.path, offsetBytes: writtenBytes)
        self.failure = failure
        return failure
    }
}
