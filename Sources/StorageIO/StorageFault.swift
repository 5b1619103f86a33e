/// A fault to come, as data: on which call, and what happens there.
///
///     StorageFault(.sync, on: ".wal", nth: 2, .fail(EIO))      the second sync of a segment
///     StorageFault(nth: 17, .powerFailure)                     power fails inside call 17
public struct StorageFault: Equatable, Sendable {
    public enum Effect: Equatable, Sendable {
        /// The call throws this errno. A write may have written a part; what a sync should have
        /// made durable is, sector by sector, durable or never will be.
        case fail(Int32)
        /// The call says that it worked and does nothing: a disk that lies about its cache. Of
        /// syncs only.
        case lie
        /// The call may have happened or not; from then on every call throws, until
        /// `SimulatedStorage.crash()` brings the machine back.
        case powerFailure
    }

    /// The calls that count; nil: all.
    public var operation: StorageOperation?
    /// What a path must contain for its calls to count.
    public var pathPart: String
    /// Which of these calls it hits, from 1.
    public var nth: Int
    /// Whether all later ones are hit too.
    public var repeats: Bool
    public var effect: Effect

    public init(
        _ operation: StorageOperation? = nil, on pathPart: String = "", nth: Int = 1,
        repeats: Bool = false, _ effect: Effect
    ) {
        precondition(nth >= 1)
        self.operation = operation
        self.pathPart = pathPart
        self.nth = nth
        self.repeats = repeats
        self.effect = effect
    }

    func counts(_ call: StorageCall) -> Bool {
        (operation == nil || operation == call.operation)
            && (pathPart.isEmpty || call.path.containsBytes(of: pathPart))
    }
}

/// One call that was made on a `SimulatedStorage`.
public struct StorageCall: Hashable, Sendable, CustomStringConvertible {
    public var operation: StorageOperation
    public var path: String
    public var offset: Int
    /// Bytes written or read; the size asked for by `preallocate`, `truncate` and `map`.
    public var count: Int

    public var description: String {
        switch operation {
        case .read, .write: "\(operation.rawValue) \(path) \(count) at \(offset)"
        case .preallocate, .truncate, .map: "\(operation.rawValue) \(path) \(count)"
        default: "\(operation.rawValue) \(path)"
        }
    }
}

extension String {
    /// `contains` of the standard library needs Foundation or string processing for strings.
    func containsBytes(of part: String) -> Bool {
        let all = Array(utf8)
        let wanted = Array(part.utf8)
        guard all.count >= wanted.count else { return false }
        return (0...(all.count - wanted.count)).contains { start in
            all[start..<(start + wanted.count)].elementsEqual(wanted)
        }
    }
}
