internal import Auth
internal import KVServer
internal import NIOCore

/// Changes of users and roles, which take several steps.
extension ConnectionHandler {
    func resume(hash: [UInt8], number: UInt32) {
        guard authChange?.number == number else { return }
        proceed { server.proceed(&$0, hash: hash, ticket: $1) }
        advance()
    }

    func proceed(_ step: (inout PendingAuthChange, Ticket) -> Answer?) {
        guard let number = authChange?.number, var change = authChange?.change else { return }
        let answer = step(&change, Ticket(connection: place, request: number))
        authChange = (number, change)
        guard let answer else { return }
        authChange = nil
        order.release()
        send(answer, number)
    }
}
