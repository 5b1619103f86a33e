import Foundation
import StorageIO

/// One thing that happened to the files of a data dir that nobody was using.
package enum Damage: CustomStringConvertible, Sendable {
    /// Bytes that are others now.
    case flipped(file: String, at: [Int])
    case zeroed(file: String, Range<Int>)
    case overwritten(file: String, Range<Int>)
    case truncated(file: String, to: Int)
    case appended(file: String, count: Int)
    case deleted(file: String)
    /// All files of a folder.
    case emptied(folder: String)

    package var description: String {
        switch self {
        case .flipped(let file, let places): "\(file): \(places.count) bytes flipped at \(places)"
        case .zeroed(let file, let range): "\(file): \(range) zeroed"
        case .overwritten(let file, let range): "\(file): \(range) overwritten at random"
        case .truncated(let file, let size): "\(file): truncated to \(size)"
        case .appended(let file, let count): "\(file): \(count) random bytes appended"
        case .deleted(let file): "\(file): deleted"
        case .emptied(let folder): "\(folder): all files deleted"
        }
    }

    func concerns(_ path: String) -> Bool {
        switch self {
        case .flipped(let file, _), .zeroed(let file, _), .overwritten(let file, _),
            .truncated(let file, _), .appended(let file, _), .deleted(let file):
            file == path
        case .emptied(let folder): path.hasPrefix("\(folder)/")
        }
    }

    /// - Parameter files: paths within the data dir and the sizes up to the last byte that is not 0:
    ///   what lies behind that is a log's preparation for more, mostly.
    static func draw(_ files: [DamageTrials.File], _ random: inout SplitMix64) -> Damage {
        if random.chance(percent: 6) {
            return .emptied(folder: random.coin() ? "member/wal" : "member/snap")
        }
        let file = pick(files, &random)
        let inUse = max(1, file.bytesInUse)
        // Its beginning and its end are where most of what matters lies.
        let start: Int
        switch random.below(4) {
        case 0: start = random.below(min(inUse, 4096))
        case 1: start = inUse - 1 - random.below(min(inUse, 4096))
        default: start = random.below(inUse)
        }
        let lengths = [1, 8, 100, 512, 4096, 65_536, 1 << 20]
        let length = 1 + random.below(random.pick(lengths))
        let range = start..<max(start + 1, min(start + length, file.size))
        switch random.below(12) {
        case 0...2:
            let count = 1 + random.below(8)
            let others = (1..<max(2, count)).map { _ in random.below(inUse) }
            return .flipped(file: file.path, at: random.coin() ? [start] : [start] + others)
        case 3...4: return .zeroed(file: file.path, range)
        case 5: return .zeroed(file: file.path, start & ~511..<(start & ~511) + 512)
        case 6: return .overwritten(file: file.path, range)
        case 7...8: return .truncated(file: file.path, to: start)
        case 9: return .truncated(file: file.path, to: 0)
        case 10: return .appended(file: file.path, count: length)
        default: return .deleted(file: file.path)
        }
    }

    /// Mostly of the log, and of its end, which no snapshot makes up for.
    private static func pick(
        _ files: [DamageTrials.File], _ random: inout SplitMix64
    ) -> DamageTrials.File {
        let segments = files.filter { $0.path.hasSuffix(".wal") }
        let snapshots = files.filter { $0.path.hasSuffix(".ksnap") }
        precondition(!segments.isEmpty && !snapshots.isEmpty, "checked when the dir was made")
        return switch random.below(20) {
        case 0...6: segments[segments.count - 1]
        case 7...11: random.pick(segments)
        case 12...15: random.pick(snapshots)
        default: random.pick(files)
        }
    }

    /// Does it to the data dir at `path`.
    func apply(to path: String, _ random: inout SplitMix64) throws {
        let manager = FileManager.default
        switch self {
        case .deleted(let file): try manager.removeItem(atPath: "\(path)/\(file)")
        case .emptied(let folder):
            for name in try manager.contentsOfDirectory(atPath: "\(path)/\(folder)") {
                try manager.removeItem(atPath: "\(path)/\(folder)/\(name)")
            }
        case .truncated(let file, let size):
            guard truncate("\(path)/\(file)", size) == 0 else {
                throw ChaosFailure("cannot truncate \(file): errno \(errno)")
            }
        case .appended(let file, let count):
            try write(Self.bytes(count, &random), at: nil, "\(path)/\(file)")
        case .zeroed(let file, let range):
            try write(
                [UInt8](repeating: 0, count: range.count), at: range.lowerBound,
                "\(path)/\(file)")
        case .overwritten(let file, let range):
            try write(Self.bytes(range.count, &random), at: range.lowerBound, "\(path)/\(file)")
        case .flipped(let file, let places):
            for place in places {
                let old = try Self.byte(at: place, "\(path)/\(file)")
                try write([old ^ UInt8(1 + random.below(255))], at: place, "\(path)/\(file)")
            }
        }
    }

    private static func bytes(_ count: Int, _ random: inout SplitMix64) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    private static func byte(at place: Int, _ path: String) throws -> UInt8 {
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? file.close() }
        try file.seek(toOffset: UInt64(place))
        return try file.read(upToCount: 1)?.first ?? 0
    }

    private func write(_ bytes: [UInt8], at place: Int?, _ path: String) throws {
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        defer { try? file.close() }
        if let place {
            try file.seek(toOffset: UInt64(place))
        } else {
            try file.seekToEnd()
        }
        try file.write(contentsOf: Data(bytes))
    }
}
