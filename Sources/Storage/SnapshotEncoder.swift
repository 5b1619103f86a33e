import StorageIO

/// A snapshot's bytes, made as its state comes in: for a file, or for a socket. No I/O.
///
///     start ─▶ append … append ─▶ finish     each hands out bytes, in order, through its closure
///
/// The memory it takes does not depend on the state's size.
public final class SnapshotEncoder {
    private let header: SnapshotHeader
    private let compressor = LZ4Compressor()
    private var crc = CRC32C()
    private var fileBytes: UInt64 = 0
    public private(set) var stateBytes: UInt64 = 0

    public init(_ header: SnapshotHeader) { self.header = header }

    public func start<Failure: Error>(
        _ sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        precondition(fileBytes == 0, "a snapshot starts once")
        try pass(header.encoded, sink)
        try pass(must { () throws(LZ4Error) in try compressor.begin() }, sink)
    }

    /// Takes the next bytes of the state, any number of them.
    public func append<Failure: Error>(
        _ state: UnsafeRawBufferPointer,
        _ sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        var rest = state
        while !rest.isEmpty {
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(LZ4Frame.blockBytes))
            try pass(must { () throws(LZ4Error) in try compressor.compress(piece) }, sink)
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(piece.count))
        }
        stateBytes += UInt64(state.count)
    }

    public func finish<Failure: Error>(
        _ sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        try pass(must { () throws(LZ4Error) in try compressor.end() }, sink)
        let trailer = SnapshotTrailer(stateBytes: stateBytes, fileBytes: fileBytes, crc: crc.value)
        try pass(trailer.encoded, sink)
    }

    private func pass<Failure: Error>(
        _ bytes: [UInt8], _ sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        try bytes.withBytes { bytes throws(Failure) in try pass(bytes, sink) }
    }

    private func pass<Failure: Error>(
        _ bytes: UnsafeRawBufferPointer,
        _ sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        guard !bytes.isEmpty else { return }
        crc.update(bytes)
        fileBytes += UInt64(bytes.count)
        try sink(bytes)
    }

    /// Compressing fails only for want of room in the output, and there is always enough.
    private func must(
        _ body: () throws(LZ4Error) -> UnsafeRawBufferPointer
    ) -> UnsafeRawBufferPointer {
        do throws(LZ4Error) { return try body() } catch {
            preconditionFailure("LZ4 refuses to compress: \(error.text)")
        }
    }
}
