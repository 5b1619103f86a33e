// swift-tools-version: 6.2
import PackageDescription

/// A target imports only targets of a lower row, and declares each one it imports.
///
///     kvd   kvd-dump   kvd-bench   kvd-sim  kvd-fuzz flags in, parts wired, nothing else
///     Proxy                                          requests handed to members
///     Fuzzing                                        readers, and bytes that nobody meant
///     Discovery                                      how new members find each other
///     Simulation                                     whole clusters in one thread
///     ClientAPI   Transport   BenchCore              sockets and HTTP live here
///     DumpCore                                       a data dir looked into, copied, restored
///     KVServer                                       the engine: persist, send, apply
///     Configuration   TLS                            flags and environment; certificates
///     StateFiles                                     states from files: snapshots, then logs
///     State                                          what entries add up to; a snapshot's content
///     Histories                                      what clients were told, and their judge
///     Auth                                           users, roles, what they may do
///     Cluster                                        members, ids, versions
///     Raft   Storage   KeyStore   Logs               Raft and KeyStore: no I/O, no clock
///     RaftModel   StorageIO                          values and their bytes; the door to the disk
///     ProtoWire   CKvd   CLZ4   CCrypt            varints on raw bytes; C
let features = ["ExistentialAny", "InternalImportsByDefault", "MemberImportVisibility"]
let strict: [SwiftSetting] =
    features.map { .enableUpcomingFeature($0) } + [.treatAllWarnings(as: .error)]

func outside(_ name: String, _ package: String) -> Target.Dependency {
    .product(name: name, package: package)
}
let nioCore = outside("NIOCore", "swift-nio")
let nioPosix = outside("NIOPosix", "swift-nio")
let nioHTTP = outside("NIOHTTP1", "swift-nio")
let nioEmbedded = outside("NIOEmbedded", "swift-nio")
let nioTLS = outside("NIOTLS", "swift-nio")
let nioSSL = outside("NIOSSL", "swift-nio-ssl")
let x509 = outside("X509", "swift-certificates")
let asn1 = outside("SwiftASN1", "swift-asn1")
let crypto = outside("Crypto", "swift-crypto")
let log = outside("Logging", "swift-log")
let arguments = outside("ArgumentParser", "swift-argument-parser")
let deque = outside("DequeModule", "swift-collections")
let histogram = outside("Histogram", "hdrhistogram-swift")

func module(_ name: String, _ below: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: below, swiftSettings: strict)
}
func program(_ name: String, _ below: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: below, swiftSettings: strict)
}
func tests(_ name: String, _ below: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: below, swiftSettings: strict)
}

let package = Package(
    name: "kvd",
    products: [
        .executable(name: "kvd", targets: ["kvd"]),
        .executable(name: "kvd-dump", targets: ["kvd-dump"]),
        .executable(name: "kvd-bench", targets: ["kvd-bench"]),
        .executable(name: "kvd-sim", targets: ["kvd-sim"]),
        .library(name: "Raft", targets: ["Raft", "RaftModel"]),
        .library(name: "Storage", targets: ["Storage", "StorageIO", "RaftModel", "Metrics"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-asn1.git", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-certificates.git", from: "1.21.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift.git", from: "0.2.0"),
        .package(url: "https://github.com/apple/swift-protobuf.git", from: "1.39.0"),
    ],
    targets: [
        .target(name: "CKvd"),
        .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
        .systemLibrary(
            name: "CCrypt", pkgConfig: "libcrypt", providers: [.apt(["libcrypt-dev"])]),
        module("ProtoWire"),
        module("RaftModel", ["ProtoWire"]),
        module("Raft", ["RaftModel", deque]),
        module("StorageIO", ["CKvd"]),
        module("Metrics"),
        module("Storage", ["CKvd", "CLZ4", "Metrics", "ProtoWire", "RaftModel", "StorageIO"]),
        module("KeyStore"),
        module("Logs", [log]),
        module("Cluster", ["RaftModel", crypto]),
        module("Auth", ["CCrypt", "Cluster", "KeyStore", "RaftModel", crypto]),
        module("State", ["KeyStore", "Cluster", "RaftModel", "ProtoWire"]),
        module(
            "StateFiles",
            ["State", "Storage", "StorageIO", "KeyStore", "Cluster", "RaftModel", log]),
        module(
            "DumpCore",
            [
                "StateFiles", "State", "Storage", "StorageIO", "KeyStore", "Cluster", "RaftModel",
                "ProtoWire",
            ]),
        module(
            "TLS",
            [
                "Cluster", "Logs", "StorageIO", nioCore, nioTLS, nioSSL, x509, asn1, crypto, log,
            ]),
        module("Configuration", ["Cluster", "RaftModel", arguments]),
        module(
            "KVServer", ["State", "Raft", "RaftModel", "KeyStore", "Cluster", deque, log]),
        module(
            "Transport",
            ["RaftModel", "ProtoWire", "Cluster", "Logs", nioCore, nioPosix, nioHTTP, log]),
        module(
            "ClientAPI",
            [
                "Auth", "KVServer", "KeyStore", "Cluster", "Metrics", "Raft", "RaftModel", "Logs",
                nioCore, nioPosix, nioHTTP, log,
            ]),
        module(
            "Discovery",
            [
                "ClientAPI", "Transport", "KVServer", "KeyStore", "Cluster", "RaftModel", "Logs",
                nioCore, nioPosix, log,
            ]),
        module(
            "Proxy",
            [
                "ClientAPI", "Transport", "KVServer", "Cluster", "Metrics", "Storage", "StorageIO",
                "RaftModel", "Logs", nioCore, nioPosix, nioHTTP, log,
            ]),
        .systemLibrary(name: "CEpoll", path: "Sources/BenchCore/CEpoll"),
        module("BenchCore", ["CEpoll", histogram]),
        program(
            "kvd",
            [
                "Proxy", "Discovery", "ClientAPI", "Transport", "KVServer", "StateFiles", "State",
                "Storage", "StorageIO", "KeyStore", "Cluster", "Configuration", "Logs", "Metrics",
                "Raft", "RaftModel", "TLS", nioCore,
                nioPosix, log,
            ]),
        module("Histories"),
        module(
            "Simulation",
            [
                "Histories", "KVServer", "StateFiles", "State", "Storage", "StorageIO", "KeyStore",
                "Cluster",
                "Raft", "RaftModel", log,
            ]),
        program("kvd-sim", ["Simulation", "StorageIO", arguments]),
        .target(name: "CAllocations"),
        module(
            "Fuzzing",
            [
                "ClientAPI", "Transport", "Discovery", "Configuration", "DumpCore", "StateFiles",
                "State", "Storage", "StorageIO", "KeyStore", "Auth", "Cluster", "Raft", "RaftModel",
                "ProtoWire", nioCore, nioEmbedded,
            ]),
        program("kvd-fuzz", ["CAllocations", "Fuzzing", "StorageIO", arguments]),
        program("kvd-bench", ["BenchCore", arguments]),
        program("kvd-dump", ["DumpCore", "StorageIO", arguments]),
        .target(
            name: "SchemaSupport", dependencies: [outside("SwiftProtobuf", "swift-protobuf")],
            path: "Tests/SchemaSupport", swiftSettings: strict),
        .target(
            name: "GoldenSupport", dependencies: ["Cluster"], path: "Tests/GoldenSupport",
            swiftSettings: strict),
        .target(name: "FixtureSupport", path: "Tests/FixtureSupport", swiftSettings: strict),
        .target(name: "ProcessSupport", path: "Tests/ProcessSupport", swiftSettings: strict),
        .target(
            name: "Chaos", dependencies: ["Histories", "ProcessSupport", "StorageIO"],
            path: "Tests/Chaos", swiftSettings: strict),
        .executableTarget(
            name: "kvd-chaos", dependencies: ["Chaos", "ProcessSupport", arguments],
            path: "Tests/kvd-chaos", swiftSettings: strict),
        .target(
            name: "Abuse",
            dependencies: ["BenchCore", "FixtureSupport", "ProcessSupport", "RaftModel"],
            path: "Tests/Abuse", swiftSettings: strict),
        .executableTarget(
            name: "kvd-abuse", dependencies: ["Abuse", "ProcessSupport", arguments],
            path: "Tests/kvd-abuse",
            swiftSettings: strict),
        .target(
            name: "Soak", dependencies: ["ProcessSupport", "StorageIO"], path: "Tests/Soak",
            swiftSettings: strict),
        .executableTarget(
            name: "kvd-soak", dependencies: ["ProcessSupport", "Soak", arguments],
            path: "Tests/kvd-soak",
            swiftSettings: strict),
        tests("ProtoWireTests", ["ProtoWire"]),
        tests(
            "RaftModelTests",
            ["RaftModel", "ProtoWire", "SchemaSupport", outside("SwiftProtobuf", "swift-protobuf")]),
        tests("RaftTests", ["Raft", "RaftModel"]),
        tests("StorageIOTests", ["FixtureSupport", "StorageIO", "CKvd"]),
        tests(
            "StorageTests",
            ["FixtureSupport", "Storage", "StorageIO", "ProtoWire", "RaftModel"]),
        tests("KeyStoreTests", ["KeyStore"]),
        tests("MetricsTests", ["Metrics"]),
        tests("LogsTests", ["Logs", log]),
        tests("ClusterTests", ["Cluster", "RaftModel"]),
        tests("AuthTests", ["Auth", "KeyStore", "RaftModel", "State"]),
        tests(
            "StateTests",
            [
                "FixtureSupport", "State", "KeyStore", "Cluster", "Storage", "StorageIO",
                "RaftModel", "ProtoWire",
            ]),
        tests("ConfigurationTests", ["Configuration", "Cluster"]),
        .target(
            name: "CertificateSupport", path: "Tests/CertificateSupport", swiftSettings: strict),
        tests(
            "TLSTests",
            [
                "TLS", "Transport", "CertificateSupport", "FixtureSupport", "Logs", "Cluster",
                "RaftModel", nioCore, nioPosix, nioHTTP, nioTLS, nioSSL, log,
            ]),
        tests("KVServerTests", ["KVServer", "State", "KeyStore", "Raft", "RaftModel", "Cluster"]),
        tests(
            "TransportTests",
            [
                "Transport", "RaftModel", "ProtoWire", "Cluster", "TLS", "CertificateSupport",
                "FixtureSupport", "ProcessSupport", nioCore, nioPosix, nioHTTP, log,
            ]),
        tests(
            "ClientAPITests",
            [
                "FixtureSupport", "GoldenSupport", "ClientAPI", "KVServer", "KeyStore", "Cluster",
                "Logs", "Raft",
                "RaftModel",
                nioCore, nioPosix, nioHTTP, nioEmbedded,
            ]),
        tests(
            "DiscoveryTests",
            ["Discovery", "Transport", "Cluster", "RaftModel", nioCore, nioPosix, nioHTTP]),
        tests(
            "ProxyTests",
            [
                "Proxy", "ClientAPI", "Transport", "Cluster", "Metrics", "RaftModel", "Storage",
                "StorageIO", "FixtureSupport", nioCore, nioPosix, nioHTTP,
            ]),
        tests("BenchCoreTests", ["BenchCore", histogram]),
        tests(
            "DumpCoreTests",
            [
                "FixtureSupport", "DumpCore", "State", "Storage", "StorageIO", "KeyStore",
                "Cluster", "RaftModel", "ProtoWire",
            ]),
        tests(
            "StateFilesTests",
            ["StateFiles", "State", "Storage", "StorageIO", "KeyStore", "Cluster", "RaftModel"]),
        tests(
            "FuzzingTests",
            ["FixtureSupport", "ProcessSupport", "Fuzzing", "StorageIO", "kvd-fuzz"]),
        tests(
            "SimulationTests",
            [
                "FixtureSupport", "Histories", "ProcessSupport", "Simulation", "StorageIO",
                "kvd-sim",
            ]),
        tests(
            "EndToEndTests",
            [
                "Chaos", "ClientAPI", "ProcessSupport", "GoldenSupport", "CertificateSupport",
                "RaftModel", "Storage", "StorageIO",
                "kvd", "kvd-dump",
            ]),
        tests(
            "ChaosTests",
            ["Chaos", "Histories", "ProcessSupport", "StorageIO", "kvd", "kvd-chaos"]),
        tests("AbuseTests", ["Abuse", "ProcessSupport", "kvd"]),
        tests("SoakTests", ["ProcessSupport", "Soak", "kvd"]),
        tests("DifferentialTests", ["ProcessSupport", "GoldenSupport", "StorageIO", "kvd"]),
    ]
)
