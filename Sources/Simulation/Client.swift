import Histories
import KVServer
import KeyStore
import RaftModel
import StorageIO

/// A client with one request at a time. What it was not told it does not know.
struct Client {
    let number: Int
    /// Of its last request.
    var request: UInt32 = 0
    var current: Request?
    /// Set when all is mended: it is to see one write done.
    var mustWriteOnce = false

    init(number: Int) { self.number = number }

    var isWaiting: Bool { current != nil }

    struct Request {
        var host: Int
        var key: Int
        var input: KeyOperation.Input
        var isPlain: Bool
        /// Its place in the key's history; nil: it is none of a key that is judged.
        var place: Int?
        /// What had been acknowledged to anybody when it was asked.
        var floor: UInt64
        var seconds: Int64 = 0
    }
}

/// What a client is told.
enum Reply {
    case output(KeyOperation.Output)
    /// Done, of a key that is not judged.
    case done
    /// Nothing was done, and nothing will be.
    case refused
    /// It may be done, or not.
    case unknown
}

/// The keys that clients use, each with its history.
struct KeySpace {
    private var histories: [KeyHistory]
    /// The number in each one's name: a key that has been used enough gives way to another.
    private var names: [Int]
    private var lastName: Int
    private var retired: [KeyHistory] = []
    private(set) var lastValue: KeyOperation.Value = KeyOperation.absent
    private let limits = KeyHistory.Limits()

    init(count: Int) {
        histories = (0..<count).map { _ in KeyHistory() }
        names = Array(0..<count)
        lastName = count - 1
    }

    var count: Int { histories.count }

    mutating func newValue() -> KeyOperation.Value {
        lastValue += 1
        return lastValue
    }

    func path(_ key: Int) -> [UInt8] {
        let name = names[key]
        return Array(name % 3 == 0 ? "/1/d\(name % 7)/k\(name)".utf8 : "/1/k\(name)".utf8)
    }

    /// A value that a comparison may hope for.
    func guess(_ key: Int) -> KeyOperation.Value {
        for operation in histories[key].operations.reversed() {
            switch operation.input {
            case .set(let value), .create(let value), .update(let value), .swap(_, let value):
                return value
            default: continue
            }
        }
        return lastValue
    }

    /// Judges the key's history and begins with another key, if it has enough and nobody waits.
    mutating func retireIfFull(
        _ key: Int, _ coverage: inout Coverage
    ) throws(Violation) {
        guard histories[key].isFull(limits), histories[key].pendingCount == 0 else { return }
        try Self.judge(histories[key])
        coverage.count(.historyChecked)
        histories[key] = KeyHistory()
        lastName += 1
        names[key] = lastName
    }

    private static func judge(_ history: KeyHistory) throws(Violation) {
        guard let failure = history.check() else { return }
        throw Violation("linearizability", "\(failure)")
    }

    func isFull(_ key: Int) -> Bool { histories[key].isFull(limits) }

    mutating func checkAll(_ coverage: inout Coverage) throws(Violation) {
        for history in histories {
            try Self.judge(history)
            coverage.count(.historyChecked)
        }
    }

    mutating func call(_ key: Int, _ input: KeyOperation.Input, client: Int, at step: UInt64) -> Int
    {
        histories[key].call(input, client: client, at: step)
    }

    mutating func answer(_ key: Int, _ place: Int, _ output: KeyOperation.Output, at step: UInt64) {
        histories[key].answer(place, output, at: step)
    }

    mutating func giveUp(_ key: Int, _ place: Int) { histories[key].giveUp(place) }
    mutating func takeBack(_ key: Int, _ place: Int) { histories[key].takeBack(place) }

    /// A value as the store has it, of differing lengths.
    static func bytes(_ value: KeyOperation.Value) -> [UInt8] {
        Array("v\(value)".utf8) + [UInt8](repeating: UInt8(ascii: "."), count: Int(value % 97))
    }

    static func value(_ bytes: UnsafeRawBufferPointer) -> KeyOperation.Value {
        var value: KeyOperation.Value = 0
        for byte in bytes.dropFirst() {
            guard byte != UInt8(ascii: ".") else { break }
            value = value &* 10 &+ KeyOperation.Value(byte &- UInt8(ascii: "0"))
        }
        return value
    }
}
