extension Store {
    /// Whether anything may expire. Nodes that were removed before their time count until it comes.
    package var hasExpiringNodes: Bool { queue.count > 0 }
}
