internal import KeyStore
internal import RaftModel

/// The methods that `/v2/keys` takes.
enum KeysMethod: Equatable {
    case get, head, put, post, delete

    var isRead: Bool { self == .get || self == .head }
}

/// What a valid request for `/v2/keys` asks for. Its views are valid as long as the request's bytes
/// and the scratch memory it was parsed with.
struct KeysRequest {
    var method: KeysMethod
    var value = UnsafeRawBufferPointer(start: nil, count: 0)
    var previousValue = UnsafeRawBufferPointer(start: nil, count: 0)
    /// 0: none.
    var previousIndex: UInt64 = 0
    var previousExists: Bool?
    /// Seconds; nil: permanent.
    var timeToLive: UInt64?
    var refresh: Bool?
    var isDirectory = false
    var isRecursive = false
    var isSorted = false
    var wait = false
    var stream = false
    var quorum = false
    /// 0: from now on.
    var waitIndex: UInt64 = 0
    /// The answer of a PUT or POST that succeeds need not say what became of the key.
    var omitsNode = false
    /// A plain GET waits until the store has come to this index; 0: it does not wait.
    var minIndex: UInt64 = 0
    /// What of a directory a plain or quorum GET is to answer with.
    var page = PageRequest()

    /// What it comes to.
    enum Operation {
        /// HEAD too.
        case read
        case quorumRead
        case watch
        case write
    }

    var operation: Operation {
        switch method {
        case .head: .read
        case .get where quorum: .quorumRead
        case .get: wait ? .watch : .read
        case .put, .post, .delete: .write
        }
    }

    /// The command of a write, without its id.
    ///
    /// - Parameters:
    ///   - path: the store's path, such as `/1/a`.
    ///   - clusterTime: Unix nanoseconds, what the time to live counts from.
    func command(path: UnsafeRawBufferPointer, clusterTime: Int64) -> RequestView {
        var view = RequestView()
        view.path = path
        view.value = value
        view.isDirectory = isDirectory
        view.previousValue = previousValue
        view.previousIndex = previousIndex
        view.previousExists = previousExists
        view.recursive = isRecursive
        view.sorted = isSorted
        view.quorum = quorum
        view.stream = stream
        view.since = waitIndex
        view.refresh = refresh
        if let timeToLive {
            // Wraps on purpose, as etcd's arithmetic does: `reference/client-api.md` §5.
            view.expiration =
                clusterTime &+ Int64(bitPattern: timeToLive) &* 1_000_000_000
        }
        view.method =
            switch method {
            case .put: .put
            case .post: .post
            case .delete: .delete
            case .get, .head: .quorumGet
            }
        return view
    }
}

extension KeysRequest {
    /// Validates the parameters, in the order of `reference/client-api.md` §2.
    ///
    /// - Parameters:
    ///   - form: the body of a PUT or POST that is a form; wins over the query.
    ///   - scratch: takes decoded values; emptied first.
    static func parse(
        _ method: KeysMethod, query: UnsafeRawBufferPointer, form: FormBody,
        scratch: inout ByteWriter
    ) throws(KeysFault) -> KeysRequest {
        scratch.removeAll()
        var fields = FormFields()
        if form.isAbsent && query.isEmpty { return KeysRequest(method: method) }
        try readFields(&fields, query: query, form: form, scratch: &scratch)
        scratch.reserve(fields.encodedBytesCount)
        var reader = FieldReader(fields: fields)
        return try reader.request(method, scratch: &scratch)
    }

    /// The first fault counts: the body's, if it has one.
    private static func readFields(
        _ fields: inout FormFields, query: UnsafeRawBufferPointer, form: FormBody,
        scratch: inout ByteWriter
    ) throws(KeysFault) {
        if let fault = form.sizeFault { throw fault }
        if let problem = form.mediaTypeProblem { throw .form(problem) }
        try fields.read(form.bytes, scratch: &scratch)
        try fields.read(query, scratch: &scratch)
    }
}

/// What of a request's body counts as its form.
struct FormBody {
    /// Empty if the body is no form.
    var bytes = UnsafeRawBufferPointer(start: nil, count: 0)
    /// The body is a form above the limit; its bytes were dropped.
    var sizeFault: KeysFault?
    /// What is wrong with the Content-Type.
    var mediaTypeProblem: String?

    var isAbsent: Bool { bytes.isEmpty && sizeFault == nil && mediaTypeProblem == nil }
}

/// Turns the raw fields into values.
private struct FieldReader {
    let fields: FormFields

    mutating func request(
        _ method: KeysMethod, scratch: inout ByteWriter
    ) throws(KeysFault) -> KeysRequest {
        var request = KeysRequest(method: method)
        request.previousIndex = try index(.prevIndex, &scratch) ?? 0
        request.waitIndex = try index(.waitIndex, &scratch) ?? 0
        request.isRecursive = try flag(.recursive, &scratch) ?? false
        request.isSorted = try flag(.sorted, &scratch) ?? false
        request.wait = try flag(.wait, &scratch) ?? false
        request.isDirectory = try flag(.dir, &scratch) ?? false
        request.quorum = try flag(.quorum, &scratch) ?? false
        request.stream = try flag(.stream, &scratch) ?? false
        if request.wait, method != .get {
            throw KeysFault(.invalidField, "\"wait\" can only be used with GET requests")
        }
        request.previousValue = bytes(.prevValue, &scratch)
        if fields[.prevValue].isPresent, request.previousValue.isEmpty {
            throw KeysFault(.previousValueRequired, "\"prevValue\" cannot be empty")
        }
        request.timeToLive = try timeToLive(&scratch)
        request.previousExists = try unquotedFlag(.prevExist, &scratch)
        request.value = bytes(.value, &scratch)
        request.refresh = try unquotedFlag(.refresh, &scratch)
        if method == .put || method == .post, fields[.noValueOnSuccess].isPresent {
            // A 2.3 server does not look at it, so nothing that stands there is an error.
            request.omitsNode = FormValue.flag(bytes(.noValueOnSuccess, &scratch)) ?? false
        }
        if method.isRead { try readOwn(&request, &scratch) }
        if request.refresh == true {
            guard request.value.isEmpty else {
                throw KeysFault(.refreshWithValue, "A value was provided on a refresh")
            }
            guard request.timeToLive != nil else {
                throw KeysFault(.refreshWithoutTTL, "No TTL value set")
            }
        }
        return request
    }

    /// What only kvd knows.
    @inline(__always)
    private func readOwn(
        _ request: inout KeysRequest, _ scratch: inout ByteWriter
    ) throws(KeysFault) {
        request.minIndex = try index(.minIndex, &scratch) ?? 0
        guard fields.havePage else { return }
        var page = PageRequest()
        page.keysOnly = try flag(.keysOnly, &scratch) ?? false
        page.isCount = try flag(.count, &scratch) ?? false
        page.version = try index(.version, &scratch) ?? 0
        page.after = bytes(.after, &scratch)
        if fields[.limit].isPresent {
            guard let limit = FormValue.number(bytes(.limit, &scratch)), limit > 0 else {
                throw .invalidValue(.invalidField, of: .limit)
            }
            page.limit = Int(clamping: limit)
        }
        if let fault = page.fault(wait: request.wait) { throw KeysFault(.invalidField, fault) }
        request.page = page
    }

    @inline(__always)
    private func bytes(
        _ parameter: KeysParameter, _ scratch: inout ByteWriter
    ) -> UnsafeRawBufferPointer {
        let field = fields[parameter]
        if field.isEncoded { return PercentCoding.decodeForm(field.bytes, into: &scratch) }
        return field.bytes
    }

    private func index(
        _ parameter: KeysParameter, _ scratch: inout ByteWriter
    ) throws(KeysFault) -> UInt64? {
        guard fields[parameter].isPresent else { return nil }
        guard let number = FormValue.number(bytes(parameter, &scratch)) else {
            throw .invalidValue(.indexNotNumber, of: parameter)
        }
        return number
    }

    private func flag(
        _ parameter: KeysParameter, _ scratch: inout ByteWriter
    ) throws(KeysFault) -> Bool? {
        guard fields[parameter].isPresent else { return nil }
        guard let flag = FormValue.flag(bytes(parameter, &scratch)) else {
            throw .invalidValue(.invalidField, of: parameter)
        }
        return flag
    }

    /// The texts for `prevExist` and `refresh` name the parameter without quotes.
    private func unquotedFlag(
        _ parameter: KeysParameter, _ scratch: inout ByteWriter
    ) throws(KeysFault) -> Bool? {
        guard fields[parameter].isPresent else { return nil }
        guard let flag = FormValue.flag(bytes(parameter, &scratch)) else {
            throw KeysFault(.invalidField, "invalid value for \(parameter.name)")
        }
        return flag
    }

    /// An empty text is as good as none.
    private func timeToLive(_ scratch: inout ByteWriter) throws(KeysFault) -> UInt64? {
        guard fields[.ttl].isPresent else { return nil }
        let text = bytes(.ttl, &scratch)
        if text.isEmpty { return nil }
        guard let seconds = FormValue.number(text) else {
            throw .invalidValue(.ttlNotNumber, of: .ttl)
        }
        return seconds
    }
}

extension FormFields {
    /// Whether any parameter of a `PageRequest` is there.
    fileprivate var havePage: Bool {
        self[.limit].isPresent || self[.after].isPresent || self[.version].isPresent
            || self[.keysOnly].isPresent || self[.count].isPresent
    }
}

/// Values of parameters. Source: `reference/client-api.md` §2.
enum FormValue {
    /// Decimal digits only, up to 2^64-1.
    static func number(_ text: UnsafeRawBufferPointer) -> UInt64? {
        guard !text.isEmpty else { return nil }
        var number: UInt64 = 0
        for byte in text {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            let (shifted, overflowsShift) = number.multipliedReportingOverflow(by: 10)
            let (sum, overflows) = shifted.addingReportingOverflow(
                UInt64(byte - UInt8(ascii: "0")))
            guard !overflowsShift, !overflows else { return nil }
            number = sum
        }
        return number
    }

    static func flag(_ text: UnsafeRawBufferPointer) -> Bool? {
        let yes: [StaticString] = ["true", "1", "t", "T", "TRUE", "True"]
        let no: [StaticString] = ["false", "0", "f", "F", "FALSE", "False"]
        for word in yes where ByteSearch.equal(text, word) { return true }
        for word in no where ByteSearch.equal(text, word) { return false }
        return nil
    }
}
