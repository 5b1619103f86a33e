import Glibc
package import StorageIO

/// One input after the other given to a target, each watched for what it costs.
package final class FuzzTrial {
    /// What a process has allocated; nil: not known.
    package struct Allocations: Sendable {
        package var restartPeak: @Sendable () -> Void
        package var allocated: @Sendable () -> Int
        package var peak: @Sendable () -> Int

        package init(
            restartPeak: @escaping @Sendable () -> Void,
            allocated: @escaping @Sendable () -> Int, peak: @escaping @Sendable () -> Int
        ) {
            (self.restartPeak, self.allocated, self.peak) = (restartPeak, allocated, peak)
        }
    }

    /// Of processor time: some thousand times what an input takes.
    private static let nanosecondsMax: Int64 = 5_000_000_000
    /// When an input has taken so long by the wall's clock, the process is ended.
    private static let secondsMax: UInt32 = 60

    package let target: FuzzTarget
    private let allocations: Allocations?
    private let memory: GuardedMemory
    /// The input under way: what is left when a reader traps.
    private let record: MappedRegion?
    package private(set) var runs = 0
    package private(set) var accepted = 0
    private var alarmSetAt: Int64 = 0
    private var isWarm = false

    /// - Parameter record: a file that has the input under way at all times.
    package init(
        _ target: FuzzTarget, allocations: Allocations? = nil, record path: String? = nil
    ) throws(StorageError) {
        (self.target, self.allocations) = (target, allocations)
        memory = GuardedMemory(bytes: target.inputBytesMax)
        guard let path else {
            record = nil
            return
        }
        let size = target.inputBytesMax + 8
        let file = try PosixStorage().open(path, for: .replacing)
        try file.truncate(sizeBytes: size)
        record = try file.map(sizeBytes: size)
    }

    /// The input that was under way when the process that wrote `path` ended.
    package static func recorded(_ path: String) throws(StorageError) -> [UInt8] {
        let all = try FuzzCorpus.readFile(path)
        guard all.count >= 8 else { return [] }
        let count = all.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
        return Array(all[8..<min(all.count, 8 + Int(clamping: count))])
    }

    /// Gives `input` to the target; what is longer than it takes is cut.
    package func run(_ input: UnsafeRawBufferPointer) throws {
        let input = UnsafeRawBufferPointer(rebasing: input.prefix(target.inputBytesMax))
        note(input)
        let placed = memory.place(input)
        if !isWarm {
            // What is allocated once, at the first use of anything, is no input's doing.
            isWarm = true
            _ = try target.check(placed)
        }
        let started = Self.processorNanoseconds
        allocations?.restartPeak()
        let before = allocations?.allocated() ?? 0
        if try target.check(placed) { accepted += 1 }
        runs += 1
        let taken = (allocations?.peak() ?? 0) - before
        let allowed = input.count * target.memoryPerByte + target.memoryBytesBeside
        try require(
            taken <= allowed, "\(taken) bytes of memory for \(input.count), more than \(allowed)")
        let time = Self.processorNanoseconds - started
        try require(time <= Self.nanosecondsMax, "\(time / 1_000_000) ms for \(input.count) bytes")
    }

    package func run(_ input: [UInt8]) throws {
        try input.withUnsafeBytes { try run($0) }
    }

    /// An input, and its beginnings: the ends that cutting off reaches.
    package func runBeginnings(of input: [UInt8]) throws {
        try run(input)
        // All of short ones, some of long ones.
        for count in stride(from: 0, to: input.count, by: 1 + input.count / target.beginningsMax) {
            try run(Array(input[..<count]))
        }
    }

    private func note(_ input: UnsafeRawBufferPointer) {
        if let record {
            record.bytes.storeBytes(of: UInt64(input.count), as: UInt64.self)
            UnsafeMutableRawBufferPointer(rebasing: record.bytes[8...]).copyMemory(from: input)
        }
        let now = Int64(time(nil))
        guard now != alarmSetAt else { return }
        alarmSetAt = now
        alarm(Self.secondsMax)
    }

    private static var processorNanoseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
