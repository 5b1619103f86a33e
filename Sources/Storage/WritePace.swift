import StorageIO

/// How fast something that can wait may write.
///
/// Written in pieces, each synced by itself, with pauses in between: a disk that gets hundreds of
/// megabytes at once makes every sync of the log wait until they are down.
public struct WritePace: Equatable, Sendable {
    /// Nil: as fast as it goes, and synced once at the end.
    var bytesPerSecond: Int?

    public static let unlimited = WritePace(bytesPerSecond: nil)

    public static func bytesPerSecond(_ bytes: Int) -> WritePace {
        precondition(bytes > 0)
        return WritePace(bytesPerSecond: bytes)
    }

    /// How long to wait before going on, having written `bytes` in `elapsed` nanoseconds.
    func pause(after bytes: Int, elapsed: Int64) -> Int64 {
        guard let bytesPerSecond else { return 0 }
        return max(0, Int64(Double(bytes) / Double(bytesPerSecond) * 1e9) - elapsed)
    }
}
