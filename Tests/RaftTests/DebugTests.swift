import Foundation
import Testing
@testable import Raft
@testable import RaftModel

@Test func debugSeed() {
    guard let seed = ProcessInfo.processInfo.environment["DBG"].flatMap({ UInt64($0) }) else {
        return
    }
    var s = Simulation(seed: seed)
    print(s.weather, s.features)
    var last = ""
    do {
        for _ in 0..<2000 {
            try s.step()
            let line = s.members.map {
                "\($0.raft.id)\($0.isDown ? "D" : "\($0.raft.role)".prefix(1))t\($0.raft.term)c\($0.raft.commitIndex)a\($0.raft.appliedIndex)d\($0.raft.durableIndex)l\($0.raft.lastIndex)\($0.raft.confState.members)g\($0.group)cc\($0.raft.log.confChanges(after: $0.raft.appliedIndex))"
            }.joined(separator: " ")
            if line != last { print(s.now, line); last = line }
        }
    } catch {
        print(error)
        let line = s.members.map {
            "\($0.raft.id)\($0.isDown ? "D" : "\($0.raft.role)".prefix(1))t\($0.raft.term)c\($0.raft.commitIndex)a\($0.raft.appliedIndex)d\($0.raft.durableIndex)l\($0.raft.lastIndex)\($0.raft.confState.members)g\($0.group)"
        }.joined(separator: " ")
        print(s.now, line)
    }
}
