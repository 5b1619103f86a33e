package import KeyStore

/// Why bytes are no state.
package struct StateError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: Equatable, Sendable {
        case notAState
        /// A part of a kind that this version does not know.
        case unknownPart(UInt8)
        /// A number that cannot be, or a size over every bound.
        case badNumber
        /// Parts in an order that no encoder gives them.
        case outOfOrder
        /// The stream ends before its end mark, or goes on behind it.
        case cutShort
        case trailingBytes
        /// The counts at the end are not those of what came.
        case counts
        case store(StoreImageError)
    }

    package let code: Code
    /// In the stream, not compressed.
    package let offsetBytes: UInt64

    package var description: String {
        "\(finding). Restore this member from another snapshot, a backup, or from its peers with --rejoin"
    }

    /// Without what to do about it.
    package var finding: String { "the state is wrong at byte \(offsetBytes): \(problem)" }

    private var problem: String {
        switch code {
        case .notAState: "it does not begin like one"
        case .unknownPart(let part): "part \(part) is unknown; a later kvd may have written it"
        case .badNumber: "a number or a size that cannot be"
        case .outOfOrder: "a part where it cannot be"
        case .cutShort: "it ends too early"
        case .trailingBytes: "something follows its end"
        case .counts: "it has not the nodes and events that it says"
        case .store(let error): error.finding
        }
    }
}
