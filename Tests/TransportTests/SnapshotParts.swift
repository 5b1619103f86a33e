import Cluster
import RaftModel
import Synchronization

@testable import Transport

/// A snapshot's bytes, made up where they are read: a big one needs no memory.
final class MadeUpSource: SnapshotSource {
    let sizeBytes: Int
    let identity: String
    private let readTo = Mutex(0)
    private let failsAt: Int
    private let endsAt: Int

    struct Broken: Error, CustomStringConvertible {
        var description: String { "the file cannot be read" }
    }

    /// - Parameters:
    ///   - failsAt: reads from here on throw.
    ///   - endsAt: what the file really has.
    ///   - name: stands for what it was made of.
    init(_ sizeBytes: Int, failsAt: Int = .max, endsAt: Int = .max, name: String = "made-up") {
        identity = "\(name)-\(sizeBytes)"
        (self.sizeBytes, self.failsAt, self.endsAt) = (sizeBytes, failsAt, endsAt)
    }

    /// No sum of positions gives the next one, so that lost, doubled and swapped pieces show.
    static func byte(at offset: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: offset ^ (offset >> 8) &* 31 ^ (offset >> 16) &* 17)
    }

    var readBytes: Int { readTo.withLock { $0 } }

    func read(into memory: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        guard offset + memory.count <= failsAt else { throw Broken() }
        let count = max(0, min(memory.count, endsAt - offset))
        for place in 0..<count { memory[place] = Self.byte(at: offset + place) }
        readTo.withLock { $0 = max($0, offset + count) }
        return count
    }
}

/// Compares what comes in with what a `MadeUpSource` has.
final class CheckingSink: SnapshotSink {
    struct State {
        var receivedBytes = 0
        var firstWrong: Int?
        var finishedCount = 0
        var abandonedCount = 0
        var suspendedCount = 0
        var appendCount = 0
        /// Calls after the last one.
        var lateCount = 0
    }

    private let state = Mutex(State())
    private let failsAt: Int
    private let finishFails: Bool
    private let beforeAppend: @Sendable () -> Void

    struct Full: Error, CustomStringConvertible {
        var description: String { "the disk is full: free some space" }
    }

    init(
        failsAt: Int = .max, finishFails: Bool = false,
        beforeAppend: @escaping @Sendable () -> Void = {}
    ) {
        (self.failsAt, self.finishFails, self.beforeAppend) = (failsAt, finishFails, beforeAppend)
    }

    var seen: State { state.withLock { $0 } }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        beforeAppend()
        try state.withLock { state in
            if state.finishedCount + state.abandonedCount > 0 { state.lateCount += 1 }
            state.appendCount += 1
            guard state.receivedBytes + bytes.count <= failsAt else { throw Full() }
            for (place, byte) in bytes.enumerated() where state.firstWrong == nil {
                let offset = state.receivedBytes + place
                if byte != MadeUpSource.byte(at: offset) { state.firstWrong = offset }
            }
            state.receivedBytes += bytes.count
        }
    }

    func finish() throws {
        if finishFails { throw Full() }
        state.withLock { $0.finishedCount += 1 }
    }

    func suspend() { state.withLock { $0.suspendedCount += 1 } }

    func abandon() { state.withLock { $0.abandonedCount += 1 } }
}

/// Keeps the sink of a transfer that was cut off for the one that goes on with it, as kvd does.
final class ResumingSinks: Sendable {
    struct State {
        var sink = CheckingSink()
        var identity = ""
        /// Of each transfer that came in.
        var offsets: [Int] = []
    }

    private let state = Mutex(State())

    var seen: State { state.withLock { $0 } }

    func offset(of identity: String) -> Int {
        state.withLock { $0.identity == identity ? $0.sink.seen.receivedBytes : 0 }
    }

    func take(_ part: SnapshotPart) -> SnapshotSinkVerdict {
        state.withLock { state in
            state.offsets.append(part.offset)
            if part.identity != state.identity {
                (state.identity, state.sink) = (part.identity, CheckingSink())
            }
            guard state.sink.seen.receivedBytes == part.offset else {
                return .refuse(reason: "there are \(state.sink.seen.receivedBytes) bytes")
            }
            return .accept(state.sink)
        }
    }
}

extension Message {
    /// One that tells of a snapshot, without its data.
    static func snapshot(from: MemberID, to: MemberID, index: UInt64 = 77) -> Message {
        Message(
            .snapshot, to: to, from: from, term: 3,
            snapshot: Snapshot(
                metadata: SnapshotMetadata(
                    confState: ConfState(members: [from, to]), index: index, term: 2)))
    }
}
