package import Logging
internal import Logs
package import NIOCore
internal import NIOSSL
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// TLS of one port: the files in use, what secures its connections with them, and what takes up new
/// ones without a restart.
///
/// Thread-safe. A connection keeps the files that were in use when it began.
package final class PortSecurity: Sendable {
    private struct State {
        var credentials: Credentials
        /// Of the files as they were last read, with or without success.
        var stamps: [FileStamp]
        /// Unix seconds; of the last look at the dates.
        var checkedAt: Int64
    }

    private let state: Mutex<State>
    let logger: Logger

    /// How long a client may take for the handshake.
    private let handshakeTimeout: TimeAmount

    /// Reads the files. Blocks. Throws all that is wrong with them.
    package init(
        _ files: TLSFiles, logger: Logger, handshakeTimeout: TimeAmount = .seconds(10)
    ) throws(TLSFaults) {
        let stamps = files.all.map(FileStamp.init)
        let credentials = try Credentials(files)
        state = Mutex(
            State(credentials: credentials, stamps: stamps, checkedAt: Self.unixSeconds()))
        self.logger = logger
        self.handshakeTimeout = handshakeTimeout
    }

    package var files: TLSFiles { credentials.files }

    var credentials: Credentials { state.withLock { $0.credentials } }

    /// What is wrong with the files in use.
    ///
    /// - Parameters:
    ///   - hosts: those of the https URLs that others are told to use.
    ///   - urls: the flag that has them.
    package func findings(hosts: [String], urls: String) -> TLSFindings {
        CertificateChecks(credentials: credentials, now: Self.unixSeconds())
            .findings(hosts: hosts, urls: urls)
    }

    // MARK: - New files

    /// Reads the files again, whether they look changed or not. Blocks.
    package func reload() {
        let stamps = files.all.map(FileStamp.init)
        do throws(TLSFaults) {
            let new = try Credentials(files)
            state.withLock { state in
                (state.credentials, state.stamps) = (new, stamps)
                state.checkedAt = Self.unixSeconds()
            }
            let leaf = new.own.first.map {
                ": \($0.description); valid until \(TLSFault.date($0.notAfter))"
            }
            logger.notice("took up new certificate files\(leaf ?? "")")
            sayDates(of: new)
        } catch {
            state.withLock { $0.stamps = stamps }
            for fault in error.list {
                logger.error("\(fault) The files read before stay in use until then")
            }
        }
    }

    /// As `reload`, if any of the files has changed. Also says, once a day, what expires. To be
    /// called every few seconds. Blocks.
    package func reloadIfChanged() {
        let (credentials, stamps, checkedAt) = state.withLock {
            ($0.credentials, $0.stamps, $0.checkedAt)
        }
        guard credentials.files.all.map(FileStamp.init) == stamps else { return reload() }
        let now = Self.unixSeconds()
        guard now - checkedAt >= 24 * 3600 else { return }
        state.withLock { $0.checkedAt = now }
        sayDates(of: credentials)
    }

    private func sayDates(of credentials: Credentials) {
        let dates = CertificateChecks(credentials: credentials, now: Self.unixSeconds()).dates
        for fault in dates.faults { logger.error("\(fault)") }
        for warning in dates.warnings { logger.warning("\(warning)") }
    }

    // MARK: - Connections

    /// Puts TLS into a connection that was accepted, before any other handler. On its loop.
    package func accept(_ channel: any Channel) throws {
        let credentials = credentials
        guard let context = credentials.server else {
            preconditionFailure("an https URL is listened on with a certificate only")
        }
        let plain = PlainHTTPGuard(self)
        try channel.pipeline.syncOperations.addHandlers([
            plain, NIOSSLServerHandler(context: context),
            HandshakeHandler(self, credentials, guarding: plain, timeout: handshakeTimeout),
        ])
    }

    /// Puts TLS into a connection to `host`, a name or an address, that stands. On its loop. The
    /// future ends with the handshake; it fails with an error that says whose fault it is.
    package func call(
        _ channel: any Channel, host: String, timeout: TimeAmount = .seconds(5)
    ) throws -> EventLoopFuture<Void> {
        let credentials = credentials
        guard let context = credentials.client else {
            preconditionFailure("these files are not for calls")
        }
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        let promise = channel.eventLoop.makePromise(of: Void.self)
        try channel.pipeline.syncOperations.addHandlers([
            // An address is compared with the connection's own.
            try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host),
            HandshakeHandler(self, credentials, calling: host, promise, timeout: timeout),
        ])
        return promise.futureResult
    }

    static func unixSeconds() -> Int64 { Int64(time(nil)) }
}
