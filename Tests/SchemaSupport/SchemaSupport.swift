/// swift-protobuf's reading of `Fixtures/schema/raft.proto`: the other opinion that `RaftModel`'s
/// encoders and decoders are held against.
///
/// `raft.pb.swift` is generated, so do not edit it: change the schema and make it anew. No build
/// does that, because building the generator takes minutes. With Debian's `protobuf-compiler`,
/// and `protoc-gen-swift` built in a package that depends on swift-protobuf 1.39
/// (`swift build --product protoc-gen-swift`), from the repository's root:
///
///     protoc --plugin=protoc-gen-swift=PATH/.build/debug/protoc-gen-swift \
///         --swift_opt=Visibility=Package --swift_opt=UseAccessLevelOnImports=true \
///         --swift_out=Tests/SchemaSupport --proto_path=Fixtures/schema raft.proto
///
/// It carries `swift-format-ignore-file`, so the formatting lint passes it over.
package enum SchemaSupport {
    /// Where the schema is, from the repository's root.
    package static let schemaPath = "Fixtures/schema/raft.proto"
}
