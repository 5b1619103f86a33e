internal import Glibc

/// Why a run could not start or go on: what is wrong, where, and what to do.
package struct BenchError: Error, CustomStringConvertible {
    package enum Code: Sendable {
        case badURL(String)
        case badOption(String)
        case noConnection(url: String, reason: String)
        case noLeader(urls: [String], reason: String)
        case preloadFailed(done: Int, of: Int, errors: String)
        case watchRefused(url: String, reason: String)
        case system(call: String, errno: Int32)
        case badResults(file: String, reason: String)
    }

    package let code: Code
    /// One imperative sentence.
    package let advice: String

    package init(_ code: Code, advice: String) {
        self.code = code
        self.advice = advice
    }

    package var description: String { "\(problem). \(advice)" }

    /// What is wrong and where, without the advice.
    package var problem: String {
        switch code {
        case .badURL(let url): "\"\(url)\" is not a URL that can be loaded"
        case .badOption(let option): "the value of \(option) is out of range"
        case .noConnection(let url, let reason): "no connection to \(url): \(reason)"
        case .noLeader(let urls, let reason):
            "no leader known at \(urls.joined(separator: ", ")): \(reason)"
        case .preloadFailed(let done, let count, let errors):
            "only \(done) of \(count) keys could be loaded (\(errors))"
        case .watchRefused(let url, let reason): "the watch at \(url) was refused: \(reason)"
        case .system(let call, let errno): "\(call) failed: \(errnoText(errno))"
        case .badResults(let file, let reason): "\(file) holds no results: \(reason)"
        }
    }

    static func system(_ call: String, _ errno: Int32) -> BenchError {
        let advice =
            errno == EMFILE || errno == ENFILE
            ? "Raise the limit of open files (ulimit -n), or use fewer connections."
            : "Check the machine's limits (memory, open files), then run again."
        return BenchError(.system(call: call, errno: errno), advice: advice)
    }

    static func noConnection(_ endpoint: Endpoint, _ reason: String) -> BenchError {
        BenchError(
            .noConnection(url: endpoint.url, reason: reason),
            advice: "Start the server, or give a URL from its --listen-client-urls.")
    }
}

/// The C library's sentence for an errno.
func errnoText(_ code: Int32) -> String {
    guard let text = strerror(code) else { return "error \(code)" }
    return String(cString: text)
}
