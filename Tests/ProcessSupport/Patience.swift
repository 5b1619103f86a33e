import Foundation

/// How much longer than usual everything may take. Whoever waits with a deadline multiplies it by this:
/// under a sanitizer kvd and the tests themselves are several times slower.
package enum Patience {
    /// `KVD_PATIENCE`, which `Scripts/sanitizers.sh` sets.
    package static let factor = max(
        1, ProcessInfo.processInfo.environment["KVD_PATIENCE"].flatMap { Int($0) } ?? 1)
}
