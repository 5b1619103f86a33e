/// Names the request of a client that an answer belongs to.
///
/// The client port makes it up and finds the connection by it again; the engine only hands it
/// back. It is a value, so nothing on the engine's side keeps a connection alive.
package struct Ticket: Hashable, Sendable {
    package var connection: UInt32
    package var request: UInt32

    package init(connection: UInt32, request: UInt32) {
        self.connection = connection
        self.request = request
    }
}
