internal import KVServer
internal import NIOCore

/// Writes answers as they go over the wire.
///
///     HTTP/1.1 200 OK
///     Content-Type: application/json
///     X-Etcd-Cluster-Id: 7e27652122e8b2ae
///     X-Etcd-Index: 4
///     X-Raft-Index: 5
///     X-Raft-Term: 2
///     Date: Mon, 23 Nov 2026 10:14:27 GMT
///     Content-Length: 96
///
/// NIO's own encoder takes more time than everything else that a small request needs, so this one
/// puts the head together in memory it uses again and copies it, with the body, into the
/// connection's buffer. Headers are spelled as etcd spells them (`reference/client-api.md` §3).
struct AnswerEncoder: ~Copyable {
    private var head = ByteWriter(capacity: 1024)
    private var dateLine = ByteWriter(capacity: 64)
    private var dateUnixSeconds = Int64.min
    private let clusterLine: [UInt8]
    private let origins: CrossOrigins

    init(clusterID: UInt64, origins: CrossOrigins = CrossOrigins([])) {
        self.origins = origins
        var line = ByteWriter(capacity: 64)
        line.append("X-Etcd-Cluster-Id: ")
        line.append(hex: clusterID)
        line.append("\r\n")
        clusterLine = Array(line.bytes)
    }

    /// Appends a whole answer to `out`.
    mutating func write(
        _ answer: borrowing Answer, body: UnsafeRawBufferPointer, framing: AnswerFraming,
        unixSeconds: Int64, into out: inout ByteBuffer
    ) {
        head.removeAll()
        appendCommon(answer, framing: framing, unixSeconds: unixSeconds)
        if answer.status != .noContent {
            head.append("Content-Length: ")
            head.append(decimal: UInt64(body.count))
            head.append("\r\n")
        }
        appendConnection(answer, framing: framing)
        head.append("\r\n")
        let sendsBody = !framing.isHead && answer.status != .noContent
        out.reserveCapacity(minimumWritableBytes: head.count + (sendsBody ? body.count : 0))
        out.writeBytes(head.bytes)
        if sendsBody { out.writeBytes(body) }
    }

    /// Appends the head of an answer whose body comes bit by bit, in chunks unless the client
    /// speaks HTTP/1.0.
    mutating func writeHeadOfStream(
        _ answer: borrowing Answer, framing: AnswerFraming, unixSeconds: Int64,
        into out: inout ByteBuffer
    ) {
        head.removeAll()
        appendCommon(answer, framing: framing, unixSeconds: unixSeconds)
        if !framing.isHTTP10 { head.append("Transfer-Encoding: chunked\r\n") }
        appendConnection(answer, framing: framing)
        head.append("\r\n")
        out.writeBytes(head.bytes)
    }

    private mutating func appendCommon(
        _ answer: borrowing Answer, framing: AnswerFraming, unixSeconds: Int64
    ) {
        head.append(framing.isHTTP10 ? "HTTP/1.0 " : "HTTP/1.1 ")
        head.append(answer.status.text)
        head.append("\r\n")
        if let allow = answer.allow { appendLine("Allow: ", allow) }
        if let contentType = answer.contentType {
            appendLine("Content-Type: ", contentType.text)
        }
        if !answer.location.isEmpty {
            head.append("Location: ")
            head.append(answer.location)
            head.append("\r\n")
        }
        if answer.forbidsSniffing { head.append("X-Content-Type-Options: nosniff\r\n") }
        if answer.hasClusterID { head.append(clusterLine) }
        if let index = answer.storeIndex { appendLine("X-Etcd-Index: ", index) }
        if let at = answer.appliedAt {
            appendLine("X-Raft-Index: ", at.raftIndex)
            appendLine("X-Raft-Term: ", at.raftTerm)
        }
        // What ends the connection is no request that a page could have sent.
        if framing.grant != .none, !answer.closes {
            head.append(origins.lines(of: framing.grant))
        }
        if !answer.extraLines.isEmpty { head.append(answer.extraLines) }
        if unixSeconds != dateUnixSeconds { renewDate(unixSeconds) }
        head.append(dateLine.bytes)
    }

    private mutating func appendConnection(
        _ answer: borrowing Answer, framing: AnswerFraming
    ) {
        if answer.closes || !framing.keepsAlive {
            head.append("Connection: close\r\n")
        } else if framing.isHTTP10 {
            head.append("Connection: keep-alive\r\n")
        }
    }

    @inline(__always)
    private mutating func appendLine(_ name: StaticString, _ value: StaticString) {
        head.append(name)
        head.append(value)
        head.append("\r\n")
    }

    @inline(__always)
    private mutating func appendLine(_ name: StaticString, _ value: UInt64) {
        head.append(name)
        head.append(decimal: value)
        head.append("\r\n")
    }

    /// Once a second.
    @inline(never)
    private mutating func renewDate(_ unixSeconds: Int64) {
        dateUnixSeconds = unixSeconds
        dateLine.removeAll()
        dateLine.append("Date: ")
        dateLine.append(httpDate: unixSeconds)
        dateLine.append("\r\n")
    }
}
