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
    /// Resident, and of no file.
    package var privateResidentBytes: UInt64 = 0
    /// Heap and stacks, touched or not.
    package var dataBytes: UInt64 = 0
    package var cpuSeconds = 0.0
    package var threadCount: UInt64 = 0

    /// Some small reads of `/proc`; figures that cannot be had are 0.
    package static func read() -> ProcessFigures {
        var figures = ProcessFigures()
        // Less the one that is open for counting.
        figures.openFileCount = max(1, countOfEntries("/proc/self/fd")) - 1
        figures.threadCount = countOfEntries("/proc/self/task")
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

    private static func countOfEntries(_ path: String) -> UInt64 {
        guard let directory = opendir(path) else { return 0 }
        defer { closedir(directory) }
        var count: UInt64 = 0
        while readdir(directory) != nil { count += 1 }
        // `.` and `..`.
        return count > 2 ? count - 2 : 0
    }

    private mutating func readMemory() {
        let file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        defer { close(file) }
        var text = [UInt8](repeating: 0, count: 256)
        let count = readOnce(file, &text)
        guard count > 0 else { return }
        // size resident shared text lib data dt, in pages
        let pages = text[..<count].split(separator: UInt8(ascii: " ")).map {
            UInt64(String(decoding: $0, as: UTF8.self)) ?? 0
        }
        guard pages.count >= 6, pages[1] >= pages[2] else { return }
        let pageBytes = UInt64(max(1, sysconf(Int32(_SC_PAGESIZE))))
        virtualBytes = pages[0] * pageBytes
        residentBytes = pages[1] * pageBytes
        privateResidentBytes = (pages[1] - pages[2]) * pageBytes
        dataBytes = pages[5] * pageBytes
    }
}

/// `ProcessFigures.read` hides the system call of that name.
private func readOnce(_ file: CInt, _ bytes: inout [UInt8]) -> Int {
    read(file, &bytes, bytes.count)
}
