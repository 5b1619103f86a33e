import StorageIO

/// A thread for what is done to segments while the log is written: making them, taking them out,
/// archiving them.
///
/// Carries out one job after the other, in the order in which they came.
final class SegmentKeeper<IO: FileStorage>: Sendable {
    enum Job: Sendable {
        case prepare(SegmentPreparation<IO>)
        case reserve(SegmentPreparation<IO>)
        case release(SegmentRelease<IO>)
        case archive(SegmentArchiving<IO>)

        /// Calls the disk; how it went.
        func run() -> Outcome {
            switch self {
            case .prepare(let preparation): .prepared(Self.result(preparation), by: preparation)
            case .reserve(let preparation): .reserved(Self.result(preparation))
            case .release(let release): .released(release.run())
            case .archive(let archiving): .archived(archiving.run(), by: archiving)
            }
        }

        private static func result(
            _ preparation: SegmentPreparation<IO>
        ) -> Result<PreparedSegment<IO>, StorageError> {
            do throws(StorageError) { return .success(try preparation.run()) } catch {
                return .failure(error)
            }
        }
    }

    enum Outcome: Sendable {
        case prepared(
            Result<PreparedSegment<IO>, StorageError>, by: SegmentPreparation<IO>)
        case reserved(Result<PreparedSegment<IO>, StorageError>)
        case released(SegmentRelease<IO>.Outcome)
        case archived(Result<Int, ArchiveError>, by: SegmentArchiving<IO>)
    }

    private let worker: SerialWorker
    private let done: @Sendable (Outcome) -> Void

    /// Starts the thread. `done` is called on it. `isPatient`: all others go first.
    init(
        named name: String, isPatient: Bool = false,
        done: @escaping @Sendable (Outcome) -> Void
    ) {
        worker = SerialWorker(named: name, isPatient ? .background : .usual)
        self.done = done
    }

    func submit(_ job: Job) {
        let done = done
        worker.submit { done(job.run()) }
    }

    /// Ends the thread after the job that it is at; the others are dropped.
    func stop() { worker.stop() }
}
