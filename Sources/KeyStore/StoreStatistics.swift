/// The counters of `/v2/stats/store` (client-api.md §9), in its order. They are part of the
/// replicated state: every member counts the same commands, though each its own reads.
/// A failure counts as a failure: etcd 2.3.8 counts some of them as successes (the root refused, a
/// directory where a file is wanted, a comparison for a deletion that does not hold).
package struct StoreStatistics: Equatable, Sendable {
    package var getsSuccess: UInt64 = 0
    package var getsFail: UInt64 = 0
    package var setsSuccess: UInt64 = 0
    package var setsFail: UInt64 = 0
    package var deleteSuccess: UInt64 = 0
    package var deleteFail: UInt64 = 0
    package var updateSuccess: UInt64 = 0
    package var updateFail: UInt64 = 0
    package var createSuccess: UInt64 = 0
    package var createFail: UInt64 = 0
    package var compareAndSwapSuccess: UInt64 = 0
    package var compareAndSwapFail: UInt64 = 0
    package var compareAndDeleteSuccess: UInt64 = 0
    package var compareAndDeleteFail: UInt64 = 0
    package var expireCount: UInt64 = 0
    /// Watchers waiting now.
    package var watchers: UInt64 = 0

    package init() {}

    /// All that is replicated or worth keeping, in a fixed order.
    private static var places: [WritableKeyPath<StoreStatistics, UInt64>] {
        [
            \.getsSuccess, \.getsFail, \.setsSuccess, \.setsFail, \.deleteSuccess, \.deleteFail,
            \.updateSuccess, \.updateFail, \.createSuccess, \.createFail, \.compareAndSwapSuccess,
            \.compareAndSwapFail, \.compareAndDeleteSuccess, \.compareAndDeleteFail, \.expireCount,
        ]
    }

    /// etcd's names of `counters`.
    package static let counterNames = [
        "getsSuccess", "getsFail", "setsSuccess", "setsFail", "deleteSuccess", "deleteFail",
        "updateSuccess", "updateFail", "createSuccess", "createFail", "compareAndSwapSuccess",
        "compareAndSwapFail", "compareAndDeleteSuccess", "compareAndDeleteFail", "expireCount",
    ]

    /// As a snapshot has them. New ones go to the end.
    package var counters: [UInt64] { Self.places.map { self[keyPath: $0] } }

    /// From a snapshot's; numbers that a later version added are passed over. What could not be
    /// counted on from is made smaller.
    package init(counters: [UInt64]) {
        for (place, value) in zip(Self.places, counters) {
            self[keyPath: place] = min(value, UInt64(Int64.max))
        }
    }

    mutating func countSet(_ succeeded: Bool) {
        if succeeded { setsSuccess += 1 } else { setsFail += 1 }
    }

    mutating func countCreate(_ succeeded: Bool) {
        if succeeded { createSuccess += 1 } else { createFail += 1 }
    }

    mutating func countUpdate(_ succeeded: Bool) {
        if succeeded { updateSuccess += 1 } else { updateFail += 1 }
    }

    mutating func countCompareAndSwap(_ succeeded: Bool) {
        if succeeded { compareAndSwapSuccess += 1 } else { compareAndSwapFail += 1 }
    }

    mutating func countDelete(_ succeeded: Bool) {
        if succeeded { deleteSuccess += 1 } else { deleteFail += 1 }
    }

    mutating func countCompareAndDelete(_ succeeded: Bool) {
        if succeeded { compareAndDeleteSuccess += 1 } else { compareAndDeleteFail += 1 }
    }
}
