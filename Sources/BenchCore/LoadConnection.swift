/// A connection that sends requests: its link, and what it waits for.
final class LoadConnection {
    let link: Link
    /// By `Operation.rawValue`; the Host header differs between endpoints.
    let templates: [RequestTemplate]
    var inFlight: InFlightQueue
    /// Of the answer that is being received.
    var status = 0

    init(_ plan: BenchPlan, endpoint: Endpoint, token: Int) {
        link = Link(endpoint, token: token)
        templates = Operation.allCases.map {
            RequestTemplate($0, plan, host: endpoint.hostAndPort)
        }
        inFlight = InFlightQueue(depth: plan.pipelineDepth)
    }

    var hasRoom: Bool { link.isOpen && !link.isBlocked && !inFlight.isFull }
}
