/// The client port: etcd's v2 HTTP API over one member's `Engine` and store.
///
/// All of it runs on the event loop of the engine, without locks. A request's way:
///
///     bytes ─▶ RequestDecoder ─▶ RequestIntake        parts become a bounded ClientRequest
///                                      │
///                                      ▼
///                                    RequestOrder     when it may start, when its answer may go
///                                      │ start
///                                      ▼
///                  ClientServer.handle: RequestTarget ─▶ RouteTable ─▶ KeysRequest, or a page
///                                      │
///             ┌──────────────┬─────────┴─────────┬──────────────────┐
///             ▼              ▼                   ▼                  ▼
///       Store.get       Store.watch      Engine.propose     Engine.readLinearizably
///             │              │ events            │ Outcome          │ .readable
///             ▼              ▼                   ▼                  ▼
///       ListingWriter   SharedEvent        ByteWriter+Event     as a plain read
///             └──────────────┴───────┬───────────┴──────────────────┘
///                                    ▼
///     bytes ◀─ one write a batch ◀─ AnswerEncoder
///
/// `ConnectionHandler` is the only part that touches a channel, and decides nothing; everything
/// between decoder and encoder is tested without one. A `Ticket` names a request (its connection's
/// place and its number there) and, as a `WatcherID`, the watch it asked for, so that the engine
/// and the store hold nothing of a connection.
///
/// A backup (`ClientServer+Backup`) and a large listing (`ClientServer+Reads`) are made while they
/// are sent: their pieces on another thread, each when the connection can send it (`BodyTransfer`).
///
/// With auth on, a request is let through by the gate first (`ClientServer+Gate`, `AuthGate`); one whose
/// password has to be hashed waits, with all of its connection that come after it, and is then handled
/// from its beginning again (`PasswordWorker`). With auth off that is one comparison.
///
/// On the way of a small request nothing is copied but the key and the answer: parameters are
/// views of the request's bytes, a value goes from the socket's buffer into the log entry, and
/// answers are put together in memory that is used again (`ByteWriter`). No Foundation, no
/// `JSONEncoder`, no existentials of our own.
///
/// To serve another path, add a line to `RouteTable` and a case to `Endpoint`.
package enum ClientAPI {}
