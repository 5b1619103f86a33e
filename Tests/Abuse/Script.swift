/// What one abusive connection does, from its first byte to its end.
package struct Script: Sendable {
    package enum Port: Sendable { case client, peer }

    /// How it goes on when all is sent.
    package enum Ending: Sendable {
        /// Stays until kvd ends it, or the scenario is over.
        case stays
        /// Hangs up, with a reset, after so long.
        case hangsUp(after: Duration)
    }

    package var port = Port.client
    /// Sent first.
    package var opening: [UInt8] = []
    /// Then this, so often: a body or a line that would be too long to keep here.
    package var filler: [UInt8] = []
    package var fillerCount = 0
    /// Then this, now and again for as long as the connection stands.
    package var drip: [UInt8] = []
    package var dripPause = Duration.seconds(1)
    /// Takes what it is answered.
    package var reads = true
    /// Says after its last byte that there will be none.
    package var endsInput = false
    package var ending = Ending.stays

    package init(_ port: Port, _ opening: String = "", _ ending: Ending = .stays) {
        self.init(port, Array(opening.utf8), ending)
    }

    package init(_ port: Port, _ opening: [UInt8], _ ending: Ending = .stays) {
        (self.port, self.opening, self.ending) = (port, opening, ending)
    }

    /// Bytes to send before the drip.
    var byteCount: Int { opening.count + filler.count * fillerCount }
}

/// Many connections, each of which does what one of the scripts says, in turn.
package struct Onslaught: Sendable {
    package var scripts: [Script]
    package var count: Int
    /// How many are opened a second.
    package var rate: Int

    package init(_ scripts: [Script], count: Int, rate: Int) {
        precondition(!scripts.isEmpty && count > 0 && rate > 0)
        (self.scripts, self.count, self.rate) = (scripts, count, rate)
    }
}
