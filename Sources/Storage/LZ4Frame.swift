import CLZ4

/// liblz4's frame format, as a stream with a constant amount of memory on either side.
///
/// Frames are made of independent blocks of at most 256 KB, each with its checksum, and end with a
/// checksum of all of the content: `lz4 -t` checks them, `lz4 -d` opens them.
enum LZ4Frame {
    /// The largest piece given to a compressor at once, and the size of a block.
    static let blockBytes = 256 << 10

    static var preferences: LZ4F_preferences_t {
        var preferences = LZ4F_preferences_t()
        preferences.frameInfo.blockSizeID = LZ4F_max256KB
        preferences.frameInfo.blockMode = LZ4F_blockIndependent
        preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled
        preferences.frameInfo.blockChecksumFlag = LZ4F_blockChecksumEnabled
        return preferences
    }

    /// What a function of liblz4 gave: a size, or why there is none.
    static func size(_ result: Int) throws(LZ4Error) -> Int {
        guard LZ4F_isError(result) == 0 else {
            // Never nil: a constant for every code, known or not.
            throw LZ4Error(text: LZ4F_getErrorName(result).map { String(cString: $0) } ?? "?")
        }
        return result
    }
}

/// Why liblz4 does not take some bytes.
struct LZ4Error: Error, Equatable, Sendable {
    /// liblz4's word for it.
    var text: String
}

/// Compresses one frame.
final class LZ4Compressor {
    private let context: OpaquePointer
    private var preferences = LZ4Frame.preferences
    private let output: UnsafeMutableRawBufferPointer

    init() {
        var context: OpaquePointer?
        let code = LZ4F_createCompressionContext(&context, UInt32(LZ4F_VERSION))
        guard LZ4F_isError(code) == 0, let context else {
            preconditionFailure("no memory for an LZ4 context")
        }
        self.context = context
        output = .allocate(
            byteCount: LZ4F_compressBound(LZ4Frame.blockBytes, &preferences) + 32, alignment: 16)
    }

    deinit {
        LZ4F_freeCompressionContext(context)
        output.deallocate()
    }

    /// The frame's head. What a method gives is void after the next call.
    func begin() throws(LZ4Error) -> UnsafeRawBufferPointer {
        let size = try LZ4Frame.size(
            LZ4F_compressBegin(context, output.baseAddress, output.count, &preferences))
        return UnsafeRawBufferPointer(rebasing: output[..<size])
    }

    /// Takes at most `LZ4Frame.blockBytes`; gives whole blocks, or nothing yet.
    func compress(_ bytes: UnsafeRawBufferPointer) throws(LZ4Error) -> UnsafeRawBufferPointer {
        precondition(bytes.count <= LZ4Frame.blockBytes)
        guard !bytes.isEmpty else { return UnsafeRawBufferPointer(rebasing: output[..<0]) }
        let size = try LZ4Frame.size(
            LZ4F_compressUpdate(
                context, output.baseAddress, output.count, bytes.baseAddress, bytes.count, nil))
        return UnsafeRawBufferPointer(rebasing: output[..<size])
    }

    /// The rest, and the frame's end.
    func end() throws(LZ4Error) -> UnsafeRawBufferPointer {
        let size = try LZ4Frame.size(
            LZ4F_compressEnd(context, output.baseAddress, output.count, nil))
        return UnsafeRawBufferPointer(rebasing: output[..<size])
    }
}

/// Opens one frame.
final class LZ4Decompressor {
    private let context: OpaquePointer
    private let output: UnsafeMutableRawBufferPointer
    /// Whether the frame has ended, its checksum included.
    private(set) var isAtEnd = false

    init() {
        var context: OpaquePointer?
        let code = LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))
        guard LZ4F_isError(code) == 0, let context else {
            preconditionFailure("no memory for an LZ4 context")
        }
        self.context = context
        output = .allocate(byteCount: LZ4Frame.blockBytes, alignment: 16)
    }

    deinit {
        LZ4F_freeDecompressionContext(context)
        output.deallocate()
    }

    /// Opens some of `bytes`; says how many it used. What it gives is void after the next call.
    func decompress(
        _ bytes: UnsafeRawBufferPointer
    ) throws(LZ4Error) -> (output: UnsafeRawBufferPointer, used: Int) {
        precondition(!isAtEnd, "one frame only")
        var (written, used) = (output.count, bytes.count)
        let hint = try LZ4Frame.size(
            LZ4F_decompress(context, output.baseAddress, &written, bytes.baseAddress, &used, nil))
        isAtEnd = hint == 0
        return (UnsafeRawBufferPointer(rebasing: output[..<written]), used)
    }
}
