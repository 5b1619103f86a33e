/// What a GET wants of a large directory: a piece of it, its keys, or how many they are.
///
///     GET /v2/keys/jobs?limit=100
///     {"action":"get","node":{"key":"/jobs","dir":true,"nodes":[…]},"next":"after=/jobs/99&version=7"}
///     GET /v2/keys/jobs?limit=100&after=/jobs/99&version=7
///
/// `next` is there as long as there is more, and is what to add to the query to get it. All pages
/// are of the version that the first one was of, whatever is written meanwhile. Pages come in the
/// order of a listing: a directory before what is in it. Kvd's own: an etcd ignores all of it.
struct PageRequest {
    /// The most nodes to answer with, directories on the way to them not counted.
    var limit = Int.max
    /// The client's key behind which to begin; empty: at the beginning.
    var after = UnsafeRawBufferPointer(start: nil, count: 0)
    /// The store's index at the first page; 0: the state as it is.
    var version: UInt64 = 0
    /// Leave the values out.
    var keysOnly = false
    /// Answer with the number of nodes instead.
    var isCount = false

    /// What contradicts itself.
    func fault(wait: Bool) -> String? {
        if wait {
            return
                "\"limit\", \"after\", \"version\", \"keysOnly\" and \"count\" cannot be used with \"wait\""
        }
        if isCount, limit != .max || !after.isEmpty {
            return "\"count\" cannot be used with \"limit\" or \"after\""
        }
        return nil
    }

    /// `after`, relative to the directory that is read; nil if it does not lie in it.
    ///
    /// - Parameter directory: the client's key; empty for the root.
    func relativeAfter(in directory: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        if after.isEmpty { return after }
        guard after.starts(with: directory) else { return nil }
        return UnsafeRawBufferPointer(rebasing: after[directory.count...])
    }
}
