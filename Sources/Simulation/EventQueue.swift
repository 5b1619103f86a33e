/// What is to happen, by its virtual time; at the same time, in the order in which it was added.
///
/// A binary heap of small keys; the events themselves lie still in slots, because some are large.
struct EventQueue<Event> {
    private struct Key {
        var time: Int64
        var number: UInt64
        var slot: Int32

        func isBefore(_ other: Key) -> Bool {
            time < other.time || (time == other.time && number < other.number)
        }
    }

    private var heap: [Key] = []
    private var slots: [Event?] = []
    private var free: [Int32] = []
    private var lastNumber: UInt64 = 0

    var isEmpty: Bool { heap.isEmpty }
    var count: Int { heap.count }
    var nextTime: Int64? { heap.first?.time }

    mutating func add(_ event: Event, at time: Int64) {
        lastNumber += 1
        let slot: Int32
        if let reused = free.popLast() {
            slot = reused
            slots[Int(slot)] = event
        } else {
            slot = Int32(slots.count)
            slots.append(event)
        }
        heap.append(Key(time: time, number: lastNumber, slot: slot))
        rise(from: heap.count - 1)
    }

    mutating func popFirst() -> (event: Event, time: Int64)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink(from: 0)
        }
        free.append(first.slot)
        guard let event = slots[Int(first.slot)].take() else {
            preconditionFailure("a slot in the heap is filled")
        }
        return (event, first.time)
    }

    private mutating func rise(from start: Int) {
        let key = heap[start]
        var place = start
        while place > 0 {
            let parent = (place - 1) / 2
            guard key.isBefore(heap[parent]) else { break }
            heap[place] = heap[parent]
            place = parent
        }
        heap[place] = key
    }

    private mutating func sink(from start: Int) {
        let key = heap[start]
        var place = start
        while true {
            var child = place * 2 + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].isBefore(heap[child]) { child += 1 }
            guard heap[child].isBefore(key) else { break }
            heap[place] = heap[child]
            place = child
        }
        heap[place] = key
    }
}
