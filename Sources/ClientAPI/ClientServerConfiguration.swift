package import Logs

/// The limits of the client port, and what of the server's flags it goes by.
package struct ClientServerConfiguration: Sendable {
    /// Requests that one connection may have in flight; past it nothing more is read from it.
    package var inFlightMax = 128
    /// Bytes that may wait for a slow client: past it no further request of that connection
    /// starts, and a stream watcher that has not drained them by its next event is cut off.
    package var unsentBytesMax = 4 << 20
    /// One header field, name and value.
    package var headerFieldBytesMax = 80 << 10
    /// All header fields of a request.
    package var headerBytesMax = 1 << 20
    /// Header fields of a request.
    package var headerFieldsMax = 256

    /// `--cors`: origins whose web pages may call; `*` among them: all.
    package var allowedOrigins: Set<String> = []
    /// What `/config/local/log` sets.
    package var logLevels = LogLevels.shared

    package init() {}
}
