import Benchmark
import CLZ4Bench
import Foundation
import RaftModel
import Storage
import StorageIO

/// Snapshots against liblz4 alone, on the same bytes, and the CRC: 64 MB of what a store of keys and
/// 128-byte values looks like, half of which compresses.
func snapshotBenchmarks() {
    let state = SampleState.bytes
    let header = SnapshotHeader(
        member: MemberID(1), cluster: ClusterID(2), term: 3, index: 4,
        confState: ConfState(members: [MemberID(1)]), storeIndex: 5, contentHash: 6, nodeCount: 7,
        eventCount: 8, clusterTime: 9, createdAt: 10)

    Benchmark("snapshot of 64 MB: compress and frame") { benchmark in
        for _ in benchmark.scaledIterations {
            var size = 0
            let encoder = SnapshotEncoder(header)
            encoder.start { size += $0.count }
            state.withUnsafeBytes { bytes in encoder.append(bytes) { size += $0.count } }
            encoder.finish { size += $0.count }
            blackHole(size)
        }
    }
    Benchmark("liblz4 alone: compress 64 MB in blocks of 256 KB") { benchmark in
        for _ in benchmark.scaledIterations { blackHole(BareLZ4.compress(state).count) }
    }

    Benchmark("snapshot of 64 MB: read and verify") { benchmark in
        let folder = try ScratchFolder()
        let snapshots = SnapshotDirectory(folder.path, storage: PosixStorage())
        let writer = try snapshots.create(header)
        try state.withUnsafeBytes { try writer.append($0) }
        let file = try writer.finish()
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { try snapshots.open(file.name).verify() }
        benchmark.stopMeasurement()
    }
    Benchmark("liblz4 alone: decompress the same") { benchmark in
        let frame = BareLZ4.compress(state)
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { blackHole(BareLZ4.decompress(frame, state.count)) }
        benchmark.stopMeasurement()
    }

    Benchmark("CRC-32C of 64 MB") { benchmark in
        for _ in benchmark.scaledIterations { blackHole(CRC32C.of(state)) }
    }
}

enum SampleState {
    /// The same bytes in every run.
    static let bytes: [UInt8] = {
        var bits: UInt64 = 0x9e37_79b9_7f4a_7c15
        var bytes: [UInt8] = []
        bytes.reserveCapacity(64 << 20)
        var number = 0
        while bytes.count < 64 << 20 {
            bytes += Array("/1/bench/key-\(number)".utf8)
            number += 1
            for _ in 0..<8 {
                bits = bits &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                withUnsafeBytes(of: bits) { bytes += $0 }
            }
            bytes += repeatElement(0x61, count: 64)
        }
        return bytes
    }()
}

/// liblz4 as anybody would call it: one frame, blocks of 256 KB, all checksums.
enum BareLZ4 {
    static func compress(_ state: [UInt8]) -> [UInt8] {
        var preferences = LZ4F_preferences_t()
        preferences.frameInfo.blockSizeID = LZ4F_max256KB
        preferences.frameInfo.blockMode = LZ4F_blockIndependent
        preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled
        preferences.frameInfo.blockChecksumFlag = LZ4F_blockChecksumEnabled
        let bound = LZ4F_compressFrameBound(state.count, &preferences)
        return [UInt8](unsafeUninitializedCapacity: bound) { memory, count in
            count = LZ4F_compressFrame(
                memory.baseAddress, bound, state, state.count, &preferences)
            precondition(LZ4F_isError(count) == 0)
        }
    }

    static func decompress(_ frame: [UInt8], _ size: Int) -> Int {
        var context: OpaquePointer?
        precondition(
            LZ4F_isError(LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))) == 0)
        defer { LZ4F_freeDecompressionContext(context) }
        let output = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { output.deallocate() }
        var total = 0
        return frame.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                var (written, used) = (output.count, rest.count)
                let input = UnsafeRawBufferPointer(rebasing: rest)
                let hint = LZ4F_decompress(
                    context, output.baseAddress, &written, input.baseAddress, &used, nil)
                precondition(LZ4F_isError(hint) == 0)
                total += written
                rest = rest.dropFirst(used)
            }
            precondition(total == size)
            return total
        }
    }
}
