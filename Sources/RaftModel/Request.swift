public import ProtoWire

/// A command of the v2 store that owns its bytes: for tests, tools and cold paths.
///
/// The layout is `RequestView`'s; the hot path uses that one and copies nothing.
public struct Request: WireCodable, Equatable {
    public var id: UInt64
    public var method: RequestView.Method
    public var path: [UInt8]
    public var value: [UInt8]
    public var isDirectory = false
    public var previousValue: [UInt8] = []
    public var previousIndex: UInt64 = 0
    public var previousExists: Bool?
    /// Unix nanoseconds; 0 is never.
    public var expiration: Int64 = 0
    public var wait = false
    public var since: UInt64 = 0
    public var recursive = false
    public var sorted = false
    public var quorum = false
    /// Unix nanoseconds, in `.sync` only.
    public var time: Int64 = 0
    public var stream = false
    public var refresh: Bool?

    public init(
        id: UInt64 = 0, method: RequestView.Method = .unknown, path: [UInt8] = [],
        value: [UInt8] = []
    ) {
        self.id = id
        self.method = method
        self.path = path
        self.value = value
    }

    /// Copies what `view` looks at.
    public init(_ view: RequestView) {
        id = view.id
        method = view.method
        path = Array(view.path)
        value = Array(view.value)
        isDirectory = view.isDirectory
        previousValue = Array(view.previousValue)
        previousIndex = view.previousIndex
        previousExists = view.previousExists
        expiration = view.expiration
        wait = view.wait
        since = view.since
        recursive = view.recursive
        sorted = view.sorted
        quorum = view.quorum
        time = view.time
        stream = view.stream
        refresh = view.refresh
    }

    /// Calls `body` with a view of this command that is valid during the call only.
    public func withView<R>(_ body: (RequestView) -> R) -> R {
        path.withUnsafeBytes { path in
            value.withUnsafeBytes { value in
                previousValue.withUnsafeBytes { previousValue in
                    var view = RequestView()
                    (view.path, view.value, view.previousValue) = (path, value, previousValue)
                    (view.id, view.method, view.isDirectory) = (id, method, isDirectory)
                    (view.previousIndex, view.previousExists) = (previousIndex, previousExists)
                    (view.expiration, view.wait, view.since) = (expiration, wait, since)
                    (view.recursive, view.sorted, view.quorum) = (recursive, sorted, quorum)
                    (view.time, view.stream, view.refresh) = (time, stream, refresh)
                    return body(view)
                }
            }
        }
    }

    public func encodedSize(_ dialect: WireDialect) -> Int { withView { $0.encodedSize } }

    public func encode(into writer: inout WireWriter, _ dialect: WireDialect) {
        withView { $0.encode(into: &writer) }
    }

    public static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> Request {
        Request(try RequestView.decode(bytes))
    }
}
