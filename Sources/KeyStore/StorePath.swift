/// A store path being read from left to right: `/1/a/b` gives `1`, `a`, `b`; `/` gives nothing.
///
/// Holds borrowed bytes, which must outlive it.
struct PathComponents {
    let path: UnsafeRawBufferPointer
    /// Bytes read so far: `path[..<end]` is the path of the component last returned.
    private(set) var end = 0

    init(_ path: UnsafeRawBufferPointer) {
        assert(StorePath.isClean(path), "the store normalises paths before it reads them")
        self.path = path
    }

    @inline(__always)
    mutating func next() -> UnsafeRawBufferPointer? {
        let start = end + 1
        guard start < path.count else { return nil }
        let stop = Bytes.firstIndex(of: StorePath.slash, in: path, from: start)
        end = stop
        return UnsafeRawBufferPointer(rebasing: path[start..<stop])
    }

    /// Whether the component last returned is the path's last.
    @inline(__always)
    var isAtEnd: Bool { end + 1 >= path.count }
}

/// Rules of store paths. A clean path starts with `/`, has no empty, `.` or `..` component and no
/// slash at its end; the root is `/` alone. The client port sends clean paths; a log written by
/// somebody else might not, so every entry point cleans what it is given.
enum StorePath {
    static let slash = UInt8(ascii: "/")
    static let dot = UInt8(ascii: ".")
    static let underscore = UInt8(ascii: "_")

    /// The store does not rely on it, but a path this long cannot be kept in an item's header.
    static let bytesMax = Int(Int32.max) - 32

    static func isClean(_ path: UnsafeRawBufferPointer) -> Bool {
        guard let first = path.first, first == slash else { return false }
        if path.count == 1 { return true }
        var start = 1  // of a component
        while true {
            guard start < path.count, path[start] != slash else { return false }
            if path[start] == dot, isDots(path, from: start) { return false }
            let end = Bytes.firstIndex(of: slash, in: path, from: start)
            if end == path.count { return true }
            start = end + 1
        }
    }

    /// Whether a component that starts with a dot at `offset` is `.` or `..`.
    private static func isDots(_ path: UnsafeRawBufferPointer, from offset: Int) -> Bool {
        var end = offset + 1
        if end < path.count, path[end] == dot { end += 1 }
        return end == path.count || path[end] == slash
    }

    /// `path` made clean: slashes folded, `.` dropped, `..` takes back a component.
    static func cleaned(_ path: UnsafeRawBufferPointer) -> [UInt8] {
        var clean: [UInt8] = []
        for component in path.split(separator: slash) {
            if component.elementsEqual([dot]) { continue }
            if component.elementsEqual([dot, dot]) {
                while let last = clean.popLast(), last != slash {}
                continue
            }
            clean.append(slash)
            clean.append(contentsOf: component)
        }
        return clean.isEmpty ? [slash] : clean
    }

    /// Where the last component of a clean path other than `/` starts.
    @inline(__always)
    static func nameStart(_ path: UnsafeRawBufferPointer) -> Int {
        var start = path.count
        while path[start - 1] != slash { start -= 1 }
        return start
    }

    @inline(__always)
    static func name(_ path: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: path[nameStart(path)...])
    }

    /// `/`, `/0` and `/1` cannot be written to.
    @inline(__always)
    static func isReadOnly(_ path: UnsafeRawBufferPointer) -> Bool {
        path.count == 1
            || path.count == 2 && (path[1] == UInt8(ascii: "0") || path[1] == UInt8(ascii: "1"))
    }

    /// Whether `path` is `ancestor` or lies below it.
    static func isAtOrBelow(
        _ path: UnsafeRawBufferPointer, _ ancestor: UnsafeRawBufferPointer
    ) -> Bool {
        if ancestor.count == 1 { return true }
        guard path.count >= ancestor.count else { return false }
        guard path.count == ancestor.count || path[ancestor.count] == slash else { return false }
        return Bytes.equal(UnsafeRawBufferPointer(rebasing: path[..<ancestor.count]), ancestor)
    }
}
