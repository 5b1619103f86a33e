internal import Cluster
internal import KVServer
internal import Logs
internal import Metrics
internal import NIOCore
internal import Raft
internal import RaftModel

/// The process behind the port: what it logs and what it is made of. Source:
/// `reference/client-api.md` §10.
extension ClientServer {
    // MARK: - /config/local/log

    /// `PUT {"Level":"DEBUG"}`: sets every package's level, until the next start.
    func setLogLevel(_ request: ClientRequest) -> Answer {
        let bytes = request.body.map { Array($0.readableBytesView) } ?? []
        let name: String
        do throws(JSONError) {
            let json = try JSONValue(parsingFirstOf: bytes)
            switch json {
            case .object, .null: name = try json.string("Level")
            default: throw JSONError(.wrongType(expected: "an object", field: "body"), at: 0)
            }
        } catch {
            return message("Invalid json body", Answer(.badRequest, .json))
        }
        guard let level = LogLevels.level(named: name) else {
            return message(text: "Invalid log level \(name)", Answer(.badRequest, .json))
        }
        configuration.logLevels.setAll(level)
        return Answer(.noContent, nil)
    }

    // MARK: - /debug/vars

    /// What monitoring of Go programs reads, as far as it means anything here.
    func debugVariables() -> Answer {
        let process = ProcessFigures.read()
        body.append("{\n\"cmdline\": [")
        for (place, word) in CommandLine.arguments.enumerated() {
            if place > 0 { body.append(",") }
            body.append(jsonString: word)
        }
        body.append("],\n\"file_descriptor_limit\": ")
        body.append(decimal: process.openFilesMax)
        body.append(",\n\"memstats\": ")
        appendMemory(process)
        body.append(",\n\"raft.status\": ")
        appendRaftStatus(engine.raftStatus)
        body.append("\n}\n")
        return Answer(.ok, .jsonUTF8)
    }

    /// Go's names. Nothing is collected here, so all about collecting is zero.
    private func appendMemory(_ memory: ProcessFigures) {
        let inUse = memory.privateResidentBytes
        let fields: [(StaticString, UInt64)] = [
            ("{\"Alloc\":", inUse), (",\"TotalAlloc\":", inUse), (",\"Sys\":", memory.dataBytes),
            (",\"Lookups\":", 0), (",\"Mallocs\":", 0), (",\"Frees\":", 0),
            (",\"HeapAlloc\":", inUse), (",\"HeapSys\":", memory.dataBytes),
            (",\"HeapIdle\":", memory.dataBytes - min(inUse, memory.dataBytes)),
            (",\"HeapInuse\":", inUse), (",\"HeapReleased\":", 0), (",\"HeapObjects\":", 0),
            (",\"StackInuse\":", 0), (",\"StackSys\":", 0), (",\"NextGC\":", 0),
            (",\"LastGC\":", 0), (",\"PauseTotalNs\":", 0), (",\"NumGC\":", 0),
        ]
        for (name, value) in fields {
            body.append(name)
            body.append(decimal: value)
        }
        body.append(",\"EnableGC\":false}")
    }

    private func appendRaftStatus(_ status: RaftStatus) {
        body.append("{\"id\":\"")
        body.append(hex: status.id.rawValue)
        body.append("\",\"term\":")
        body.append(decimal: status.term)
        body.append(",\"vote\":\"")
        body.append(hex: status.vote.rawValue)
        body.append("\",\"commit\":")
        body.append(decimal: status.commit)
        body.append(",\"lead\":\"")
        body.append(hex: status.leader.rawValue)
        body.append("\",\"raftState\":\"")
        switch status.role {
        case .leader: body.append("StateLeader")
        case .follower: body.append("StateFollower")
        case .candidate, .preCandidate: body.append("StateCandidate")
        }
        body.append("\",\"progress\":{")
        for (place, member) in status.progress.enumerated() {
            if place > 0 { body.append(",") }
            body.append("\"")
            body.append(hex: member.id.rawValue)
            body.append("\":{\"match\":")
            body.append(decimal: member.match)
            body.append(",\"next\":")
            body.append(decimal: member.next)
            switch member.mode {
            case .probe: body.append(",\"state\":\"ProgressStateProbe\"}")
            case .replicate: body.append(",\"state\":\"ProgressStateReplicate\"}")
            case .snapshot: body.append(",\"state\":\"ProgressStateSnapshot\"}")
            }
        }
        body.append("}}")
    }
}
