import Testing

@testable import Simulation

@Suite struct EventQueueTests {
    @Test func eventsComeByTimeAndThenInOrder() {
        var queue = EventQueue<Int>()
        for (event, time) in [(1, 30), (2, 10), (3, 30), (4, 20), (5, 10)] as [(Int, Int64)] {
            queue.add(event, at: time)
        }
        var order: [Int] = []
        while let (event, _) = queue.popFirst() { order.append(event) }
        #expect(order == [2, 5, 4, 1, 3])
    }
}
