/// Bytes that are not the protobuf message they were taken for.
public struct WireError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Kind: Equatable, Sendable {
        /// The bytes end in the middle of a tag, varint or fixed-size value.
        case truncated
        /// A varint of more than ten bytes, or one above 2^64 - 1.
        case varintTooLong
        /// A length-delimited field that says it is longer than what is left.
        case lengthPastEnd(length: UInt64)
        /// Field number zero or above protobuf's bound.
        case badFieldNumber
        /// A wire type this field never has, or one that does not exist.
        case badWireType(UInt8, field: Int)
        /// A number that names no case of the field's enumeration.
        case unknownValue(UInt64, field: Int)
        /// More fields that nobody knows than any version can have added.
        case tooManyUnknownFields
    }

    public var kind: Kind
    /// Where in the decoded bytes it was met.
    public var offset: Int

    @inlinable
    public init(_ kind: Kind, at offset: Int) {
        self.kind = kind
        self.offset = offset
    }

    public var description: String { "protobuf: \(problem) at byte \(offset)" }

    private var problem: String {
        switch kind {
        case .truncated: "the bytes end inside a value"
        case .varintTooLong: "a varint of more than 64 bits"
        case .lengthPastEnd(let length): "a length of \(length) reaches past the end"
        case .badFieldNumber: "an impossible field number"
        case .badWireType(let type, let field): "wire type \(type) in field \(field)"
        case .tooManyUnknownFields: "more than \(WireReader.skippedMax) unknown fields"
        case .unknownValue(let value, let field): "unknown value \(value) in field \(field)"
        }
    }
}
