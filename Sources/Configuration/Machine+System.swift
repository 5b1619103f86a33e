#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif
internal import Cluster

extension Machine {
    /// This machine. Whether a data dir holds a member is for the caller to find out.
    package static func system(
        holdsMember: @escaping @Sendable (_ dataDirectory: String, _ walDirectory: String?) -> Bool
    ) -> Machine {
        Machine(
            environmentFile: parse(environmentFile: contents(of: "/etc/environment") ?? ""),
            defaultInterface: {
                contents(of: "/proc/net/route").flatMap(defaultInterface(routes:))
            },
            address: addressOfInterface, holdsMember: holdsMember, resolve: HostResolver.system)
    }

    /// The interface of the default route with the lowest metric.
    ///
    ///     Iface  Destination  Gateway   Flags  RefCnt  Use  Metric  Mask      …    in tabs
    ///     eth0   00000000     0100000A  0003   0       0    100     00000000
    static func defaultInterface(routes text: String) -> String? {
        var best: (metric: Int, name: String)?
        for line in text.split(whereSeparator: \.isNewline).dropFirst() {
            let fields = line.split(whereSeparator: \.isWhitespace)
            guard fields.count > 7, fields[1] == "00000000", fields[7] == "00000000",
                let flags = Int(fields[3], radix: 16), flags & 1 != 0,
                let metric = Int(fields[6])
            else { continue }
            if best.map({ metric < $0.metric }) ?? true { best = (metric, String(fields[0])) }
        }
        return best?.name
    }

    private static func addressOfInterface(_ name: String) -> String? {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return nil }
        defer { freeifaddrs(list) }
        var next = list
        while let entry = next?.pointee {
            next = entry.ifa_next
            guard let address = entry.ifa_addr, address.pointee.sa_family == AF_INET,
                String(cString: entry.ifa_name) == name
            else { continue }
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let status = getnameinfo(
                address, socklen_t(MemoryLayout<sockaddr_in>.size), &text, socklen_t(text.count),
                nil, 0, NI_NUMERICHOST)
            guard status == 0 else { continue }
            return String(
                decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
        return nil
    }

    /// Of a small file; nil if it cannot be read.
    private static func contents(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
