import Testing

/// What an etcd 3.4.23 (`--enable-v2`) sent, recorded byte for byte, and what a parser must make of
/// it. A name and CORS headers apart, 2.3.8 sends the same.
struct RecordedAnswer: Sendable, CustomTestStringConvertible {
    let name: String
    let bytes: String
    /// Status and body of each answer, in order.
    let answers: [Answer]
    /// Whether the last answer is not over yet.
    var isOpen = false

    struct Answer: Equatable, Sendable {
        var status: Int
        var body: String
    }

    var testDescription: String { name }

    static let cors =
        "Access-Control-Allow-Headers: accept, content-type, authorization\r\n"
        + "Access-Control-Allow-Methods: POST, GET, OPTIONS, PUT, DELETE\r\n"
        + "Access-Control-Allow-Origin: *\r\n"
    static let etcd =
        cors + "Content-Type: application/json\r\nX-Etcd-Cluster-Id: b12682c753ea7be3\r\n"
    static let date = "Date: Mon, 23 Nov 2026 21:25:51 GMT\r\n"

    static let setOne =
        #"{"action":"set","node":{"key":"/bench/0001","value":"00000a3f5c21e4b8xyz","#
        + #""modifiedIndex":4,"createdIndex":4}}"# + "\n"
    static let setAgain =
        #"{"action":"set","node":{"key":"/bench/0001","value":"00000a3f5c21e4b9xyz","#
        + #""modifiedIndex":5,"createdIndex":5},"prevNode":{"key":"/bench/0001","#
        + #""value":"00000a3f5c21e4b8xyz","modifiedIndex":4,"createdIndex":4}}"# + "\n"
    static let setTwo =
        #"{"action":"set","node":{"key":"/bench/0002","value":"00000a3f5c21e4bax","#
        + #""modifiedIndex":6,"createdIndex":6}}"# + "\n"
    static let setTwoAgain =
        #"{"action":"set","node":{"key":"/bench/0002","value":"00000a3f5c21e4bbx","#
        + #""modifiedIndex":7,"createdIndex":7},"prevNode":{"key":"/bench/0002","#
        + #""value":"00000a3f5c21e4bax","modifiedIndex":6,"createdIndex":6}}"# + "\n"
    static let notFound =
        #"{"errorCode":100,"message":"Key not found","cause":"/none","index":5}"# + "\n"

    static let all = [
        RecordedAnswer(
            name: "created",
            bytes: "HTTP/1.1 201 Created\r\n" + etcd
                + "X-Etcd-Index: 4\r\nX-Raft-Index: 5\r\nX-Raft-Term: 2\r\n" + date
                + "Content-Length: 111\r\n\r\n" + setOne,
            answers: [Answer(status: 201, body: setOne)]),
        RecordedAnswer(
            name: "pipelined: set, then an error",
            bytes: "HTTP/1.1 200 OK\r\n" + etcd
                + "X-Etcd-Index: 5\r\nX-Raft-Index: 6\r\nX-Raft-Term: 2\r\n" + date
                + "Content-Length: 209\r\n\r\n" + setAgain + "HTTP/1.1 404 Not Found\r\n" + etcd
                + "X-Etcd-Index: 5\r\n" + date + "Content-Length: 70\r\n\r\n" + notFound,
            answers: [
                Answer(status: 200, body: setAgain), Answer(status: 404, body: notFound),
            ]),
        RecordedAnswer(
            name: "no content, then a keep-alive answer",
            bytes: "HTTP/1.1 204 No Content\r\n" + cors + date + "\r\nHTTP/1.1 201 Created\r\n"
                + etcd + "Content-Length: 111\r\n\r\n" + setOne,
            answers: [Answer(status: 204, body: ""), Answer(status: 201, body: setOne)]),
        RecordedAnswer(
            name: "long poll, chunked",
            bytes: "HTTP/1.1 200 OK\r\n" + etcd + date + "Transfer-Encoding: chunked\r\n\r\nd1\r\n"
                + setAgain + "\r\n0\r\n\r\n",
            answers: [Answer(status: 200, body: setAgain)]),
        RecordedAnswer(
            name: "stream, two events, no end",
            bytes: "HTTP/1.1 200 OK\r\n" + etcd + date + "Transfer-Encoding: chunked\r\n\r\n6d\r\n"
                + setTwo + "\r\ncd\r\n" + setTwoAgain + "\r\n",
            answers: [Answer(status: 200, body: setTwo + setTwoAgain)], isOpen: true),
    ]
}
