package import Logs

/// The limits of the client port, and what of the server's flags it goes by.
package struct ClientServerConfiguration: Sendable {
    /// Requests that one connection may have in flight; past it nothing more is read from it.
    package var inFlightMax = 128
    /// Bytes of answers that may wait for a slow client: past it no further request of that connection
    /// starts. What is on its way already lies in the kernel's buffers.
    package var pipelinedBytesMax = 256 << 10
    /// Bytes that may wait for a stream watcher: one that has not drained them by its next event is
    /// cut off.
    package var unsentBytesMax = 4 << 20
    /// `--max-request-bytes`: a form. What is longer by etcd's own limit is answered as etcd does.
    package var formBytesMax = RequestIntake.etcdFormBytesMax
    /// `--max-connections`: clients beyond it are refused, unless an idle one can make room.
    package var connectionsMax = Int.max
    /// A connection without a request for this long may be closed when another needs its place.
    package var idleBeforeEviction = Duration.seconds(10)
    /// `--max-watchers`
    package var watchersMax = Int.max
    /// `--max-key-bytes`: of keys that are written or watched.
    package var keyBytesMax = 32 << 10
    /// Elements of such keys.
    package var keyDepthMax = 1024
    /// From the first byte of a request to the end of its headers.
    package var headTimeout = Duration.seconds(30)
    /// Between two bytes of a body.
    package var bodyPauseMax = Duration.seconds(60)
    /// A whole body.
    package var bodyTimeout = Duration.seconds(600)
    /// For how long a client may take nothing of an answer that is ready for it.
    package var unreadAnswerTimeout = Duration.seconds(60)

    /// The target, or one header field, name and value. Some put values into the query; etcd's
    /// only limit is that of all together.
    package var headerFieldBytesMax = 1 << 20
    /// The target and all header fields of a request.
    package var headerBytesMax = 1 << 20
    /// Header fields of a request.
    package var headerFieldsMax = 256

    /// Passwords that may wait to be hashed: some 3 s of work. Past it a request is refused.
    package var passwordsWaitingMax = 64

    /// `--cors`: origins whose web pages may call; `*` among them: all.
    package var allowedOrigins: Set<String> = []
    /// What `/config/local/log` sets.
    package var logLevels = LogLevels.shared

    package init() {}
}
