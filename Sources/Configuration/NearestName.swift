/// Finds the flag that somebody may have meant.
enum NearestName {
    /// The known flag with the fewest typing errors between it and `name`; nil if none is near.
    static func to(_ name: String) -> String? {
        let known = FlagTable.all.filter { $0.group != .old }.map(\.name)
        return nearest(to: name, among: known)
    }

    static func nearest(to name: String, among known: [String]) -> String? {
        let limit = max(1, min(3, name.utf8.count / 3))
        let wanted = Array(name.lowercased().utf8)
        let distances = known.map { (distance: distance(wanted, Array($0.utf8)), name: $0) }
        guard let best = distances.min(by: { $0 < $1 }), best.distance <= limit else { return nil }
        return best.name
    }

    /// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
    static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        // Three rows of the usual table: two before, before, and the present one.
        var beforeLast = [Int](repeating: 0, count: b.count + 1)
        var last = Array(0...b.count)
        for i in a.indices {
            var row = [i + 1]
            for j in b.indices {
                let replaced = last[j] + (a[i] == b[j] ? 0 : 1)
                var best = min(replaced, last[j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                    best = min(best, beforeLast[j - 1] + 1)
                }
                row.append(best)
            }
            (beforeLast, last) = (last, row)
        }
        return last[b.count]
    }
}
