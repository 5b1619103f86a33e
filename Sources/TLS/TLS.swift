/// TLS of a port: certificates from files, checked, loaded anew while the server runs; and the
/// handlers that stand between the socket and HTTP.
///
///     TLSFiles ──▶ Credentials.init ──▶ Credentials ──▶ NIOSSLContext, CertificateFacts
///     paths, and     reads, parses;       one set of files     for connections; for people
///     their flags    all faults at once
///                                            │
///     PortSecurity: the set in use ◀─────────┘  swapped when files change (FileStamp), or on SIGHUP;
///          │                                    files with a fault leave the old set in use
///          ├─ accept(channel)  ─▶ PlainHTTPGuard ─▶ NIOSSLServerHandler ─▶ HandshakeHandler ─▶ HTTP
///          └─ call(channel, host) ────────────────▶ NIOSSLClientHandler ─▶ HandshakeHandler ─▶ HTTP
///
///     CertificateChecks   what is wrong with our own certificates, before anybody complains
///     HandshakeFault      why a handshake failed, in words: whose certificate, which rule
///     SystemTrust         who is trusted where no flag says whom: this machine's authorities
///     SelfSigned          --auto-tls: makes a certificate, and keeps it in the data dir
///
/// BoringSSL (swift-nio-ssl) decides whom to trust. swift-certificates reads what a certificate
/// says, so that lines can name subject, names and dates, and makes those of `--auto-tls`.
/// Versions below TLS 1.2 are refused.
///
/// A port without TLS has none of these handlers.
package enum TLS {}
