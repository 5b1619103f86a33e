import ArgumentParser
import Cluster
import DumpCore

extension LogKind: ExpressibleByArgument {}

/// How much of a value is shown.
struct ValueLimit: ExpressibleByArgument {
    static let short = ValueLimit(bytes: 40)

    let bytes: Int

    private init(bytes: Int) { self.bytes = bytes }

    init?(argument: String) {
        if argument == "full" {
            bytes = .max
        } else {
            guard let number = Int(argument), number >= 0 else { return nil }
            bytes = number
        }
    }

    var defaultValueDescription: String { "\(bytes)" }
}

/// A moment, as Unix nanoseconds.
struct TimeOfDay: ExpressibleByArgument {
    let nanoseconds: Int64

    init?(argument: String) {
        if let seconds = Int64(argument) {
            let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
            guard !overflow else { return nil }
            nanoseconds = product
        } else {
            guard let moment = CivilTime.unixNanoseconds(rfc3339: argument) else { return nil }
            nanoseconds = moment
        }
    }
}
