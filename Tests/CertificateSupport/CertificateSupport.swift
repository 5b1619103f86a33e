import Foundation

/// A certificate authority made by `openssl`, in a folder of the test's own.
package struct TestAuthority {
    package struct Issued {
        package let certificate: String
        package let key: String

        package init(certificate: String, key: String) {
            (self.certificate, self.key) = (certificate, key)
        }
    }

    package struct Failed: Error, CustomStringConvertible {
        package let description: String
    }

    package let folder: String
    package var certificate: String { "\(folder)/ca.pem" }

    /// Makes its key and certificate in the new folder `path`.
    package init(_ name: String, in path: String) throws {
        folder = path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try Self.openssl(
            ["req", "-x509"] + Self.newKey + [
                "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650",
                "-subj", "/O=kvd tests/CN=\(name)",
            ], in: path)
        try """
        [ca]
        default_ca=default
        [default]
        database=index.txt
        serial=serial
        new_certs_dir=.
        default_md=sha256
        policy=policy
        unique_subject=no
        [policy]
        commonName=supplied
        """.write(toFile: "\(path)/ca.cnf", atomically: true, encoding: .utf8)
        try "".write(toFile: "\(path)/index.txt", atomically: true, encoding: .utf8)
        try "01".write(toFile: "\(path)/serial", atomically: true, encoding: .utf8)
    }

    /// Issues one certificate, as `NAME.pem` and `NAME.key`.
    ///
    /// - Parameters:
    ///   - names: as openssl writes them: `IP:127.0.0.1,DNS:localhost`. Empty: none.
    ///   - usages: its extended key usage. Empty: none.
    ///   - from, until: `YYYYMMDDHHMMSSZ`.
    @discardableResult
    package func issue(
        _ name: String, names: String = "IP:127.0.0.1,DNS:localhost",
        usages: String = "serverAuth,clientAuth", keyUsage: String = "", isAuthority: Bool = false,
        isRSA: Bool = false,
        from: String = "20200101000000Z", until: String = "20491231235959Z"
    ) throws -> Issued {
        var extensions: [String] = []
        if !names.isEmpty { extensions.append("subjectAltName=\(names)") }
        if !usages.isEmpty { extensions.append("extendedKeyUsage=\(usages)") }
        if !keyUsage.isEmpty { extensions.append("keyUsage=\(keyUsage)") }
        extensions.append("basicConstraints=CA:\(isAuthority ? "TRUE" : "FALSE")")
        try extensions.joined(separator: "\n").appending("\n")
            .write(toFile: "\(folder)/\(name).ext", atomically: true, encoding: .utf8)
        try Self.openssl(
            ["req"] + (isRSA ? ["-newkey", "rsa:2048", "-nodes"] : Self.newKey) + [
                "-keyout", "\(name).key", "-out", "\(name).csr", "-subj", "/CN=\(name)",
            ], in: folder)
        try Self.openssl(
            [
                "ca", "-batch", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key",
                "-in", "\(name).csr", "-out", "\(name).pem", "-startdate", from, "-enddate", until,
                "-extfile", "\(name).ext", "-notext",
            ], in: folder)
        return Issued(certificate: "\(folder)/\(name).pem", key: "\(folder)/\(name).key")
    }

    /// As openssl wants it, so many days from now.
    package static func date(inDays days: Int) -> String {
        let date = Date(timeIntervalSinceNow: Double(days) * 24 * 3600)
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(identifier: "UTC")
        format.dateFormat = "yyyyMMddHHmmss'Z'"
        return format.string(from: date)
    }

    private static let newKey = [
        "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
    ]

    package static func openssl(_ arguments: [String], in folder: String) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/openssl")
        process.arguments = arguments
        process.currentDirectoryURL = URL(filePath: folder)
        let output = Pipe()
        process.standardError = output
        process.standardOutput = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let text = String(
            decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failed(description: "openssl \(arguments.joined(separator: " ")): \(text)")
        }
    }
}
