/// A request to a server by HTTP/1.1: one connection, one answer.
package struct HTTPCall: Equatable, Sendable {
    package enum Method: String, Sendable {
        case get = "GET"
        case put = "PUT"
    }

    package var method: Method
    /// Path and query.
    package var target: String
    /// A body of type `application/x-www-form-urlencoded`.
    package var form: String?
    /// For the connection to stand.
    package var connectTimeout: Duration
    /// From there to the end of the answer; nil: as long as it takes, if only the other machine is
    /// there.
    package var answerTimeout: Duration?

    package init(
        _ method: Method, _ target: String, form: String? = nil, connectTimeout: Duration,
        answerTimeout: Duration?
    ) {
        (self.method, self.target, self.form) = (method, target, form)
        (self.connectTimeout, self.answerTimeout) = (connectTimeout, answerTimeout)
    }
}
