#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What the kernel says about this process, under the names that every Prometheus client uses.
package struct ProcessFigures: Sendable {
    package var openFileCount: UInt64 = 0
    package var openFilesMax: UInt64 = 0
    package var residentBytes: UInt64 = 0
    package var virtualBytes: UInt64 = 0
    package var cpuSeconds = 0.0
    package var threadCount: UInt64 = 0

    /// Some small reads of `/proc`; figures that cannot be had are 0.
    package static func read() -> ProcessFigures {
        var figures = ProcessFigures()
        figures.openFileCount = countOfOpenFiles()
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            figures.openFilesMax = UInt64(limit.rlim_cur)
        }
        var usage = rusage()
        if getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
            figures.cpuSeconds = seconds(usage.ru_utime) + seconds(usage.ru_stime)
        }
        figures.readMemory()
        return figures
    }

    package func write(into page: inout MetricsPage, startedAtUnixSeconds: Double) {
        page.gauge("process_open_fds", "Open file descriptors.", openFileCount)
        page.gauge("process_max_fds", "Limit of open file descriptors.", openFilesMax)
        page.gauge(
            "process_resident_memory_bytes", "Memory in RAM, in bytes.", residentBytes)
        page.gauge(
            "process_virtual_memory_bytes", "Address space in use, in bytes.", virtualBytes)
        page.family(
            "process_cpu_seconds_total", .counter, "Processor time, user and system, in seconds.")
        page.sample([], cpuSeconds)
        page.gauge(
            "process_start_time_seconds", "Start of the process, in Unix seconds.",
            startedAtUnixSeconds)
        page.gauge("kvd_process_threads", "Threads of this process.", threadCount)
    }

    private static func seconds(_ time: timeval) -> Double {
        Double(time.tv_sec) + Double(time.tv_usec) / 1e6
    }

    private static func countOfOpenFiles() -> UInt64 {
        guard let directory = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(directory) }
        var count: UInt64 = 0
        while readdir(directory) != nil { count += 1 }
        // `.`, `..`, and the directory's own.
        return count > 3 ? count - 3 : 0
    }

    private mutating func readMemory() {
        guard let file = fopen("/proc/self/status", "r") else { return }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            if let kilobytes = Self.number(text, after: "VmRSS:") {
                residentBytes = kilobytes << 10
            } else if let kilobytes = Self.number(text, after: "VmSize:") {
                virtualBytes = kilobytes << 10
            } else if let count = Self.number(text, after: "Threads:") {
                threadCount = count
            }
        }
    }

    private static func number(_ line: [UInt8], after name: String) -> UInt64? {
        guard line.starts(with: name.utf8) else { return nil }
        let digits = line.dropFirst(name.utf8.count).filter { (48...57).contains($0) }
        return UInt64(String(decoding: digits, as: UTF8.self))
    }
}
