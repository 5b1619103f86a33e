import Foundation
import ProcessSupport

/// A member of a cluster under test: its place on the machine, and its process while it runs.
package final class ChaosMember {
    let number: Int
    let name: String
    package let clientPort: Int
    let peerPort: Int
    /// The proxy's, which the others are told.
    let advertisedPort: Int
    let dataDirectory: String
    let folder: String
    /// As the cluster knows it; empty until it is asked.
    var id = ""
    var process: KvdProcess?
    var isPaused = false
    private var startsCount = 0

    init(
        number: Int, folder: String, dataDirectory: String, ports: [Int], advertisedPort: Int
    ) {
        precondition(ports.count == 2)
        self.number = number
        name = "m\(number)"
        (clientPort, peerPort, self.advertisedPort) = (ports[0], ports[1], advertisedPort)
        (self.folder, self.dataDirectory) = (folder, dataDirectory)
    }

    var clientURL: String { "http://127.0.0.1:\(clientPort)" }
    var advertisedURL: String { "http://127.0.0.1:\(advertisedPort)" }
    /// Whether it takes part.
    var isUp: Bool { process != nil && !isPaused }

    func start(cluster: String, isExisting: Bool, flags: [String]) throws {
        startsCount += 1
        process = try KvdProcess(
            arguments: [
                "--name", name, "--data-dir", dataDirectory,
                "--listen-client-urls", clientURL, "--advertise-client-urls", clientURL,
                "--listen-peer-urls", "http://127.0.0.1:\(peerPort)",
                "--initial-advertise-peer-urls", advertisedURL,
                "--initial-cluster", cluster,
                "--initial-cluster-state", isExisting ? "existing" : "new",
            ] + flags,
            // A log for each start: the one before may say why there was another.
            clientPort: clientPort, logPath: "\(folder)/\(name).\(startsCount).log")
    }

    /// A connection that gives up soon: the member may be paused or cut off.
    func client(timeoutMilliseconds: Int = 2000) throws -> LoopbackHTTP {
        let client = try LoopbackHTTP(port: clientPort)
        client.setTimeout(milliseconds: timeoutMilliseconds)
        return client
    }

    func killNine() {
        process?.kill(SIGKILL)
        process?.wait()
        (process, isPaused) = (nil, false)
    }

    func terminate() throws {
        process?.kill(SIGTERM)
        if let status = process?.wait(), status != -SIGTERM {
            throw ChaosFailure("\(name) ended with \(status) when told to stop:\n\(logTail)")
        }
        process = nil
    }

    func pause() {
        process?.kill(SIGSTOP)
        isPaused = true
    }

    func resume() {
        process?.kill(SIGCONT)
        isPaused = false
    }

    /// A figure of a page of metrics.
    static func figure(_ name: String, in metrics: String) -> Double? {
        for line in metrics.split(separator: "\n") where line.hasPrefix("\(name) ") {
            return Double(line.dropFirst(name.count + 1))
        }
        return nil
    }

    /// Nobody but us ends a member.
    func checkRuns() throws {
        guard let process, !process.isRunning else { return }
        throw ChaosFailure("\(name) has ended with \(process.wait()); its log:\n\(logTail)")
    }

    var logTail: String {
        (process?.log ?? "").split(separator: "\n").suffix(40).joined(separator: "\n")
    }
}
