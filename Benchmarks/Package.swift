// swift-tools-version: 6.2
import PackageDescription

/// Micro-benchmarks, apart from the main package so that its build stays light.
///
///     cd Benchmarks && swift package benchmark
///
/// Each thing measured stands beside the bare minimum it could cost, in the same run: compare the
/// two, not absolute times, which are the machine's.
let package = Package(
    name: "kvd-benchmarks",
    dependencies: [
        .package(name: "kvd", path: ".."),
        .package(url: "https://github.com/ordo-one/benchmark.git", from: "1.38.0", traits: []),
    ],
    targets: [
        .systemLibrary(
            name: "CLZ4Bench", path: "Benchmarks/CLZ4Bench", pkgConfig: "liblz4",
            providers: [.apt(["liblz4-dev"])]),
        .executableTarget(
            name: "StorageBenchmarks",
            dependencies: [
                "CLZ4Bench",
                .product(name: "Storage", package: "kvd"),
                .product(name: "Raft", package: "kvd"),
                .product(name: "Benchmark", package: "benchmark"),
            ],
            path: "Benchmarks/StorageBenchmarks",
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]
        ),
    ]
)
