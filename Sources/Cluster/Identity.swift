internal import Crypto
package import RaftModel

extension MemberID {
    /// The id of a member, from its peer URLs as etcd prints them.
    ///
    ///     first 8 bytes, big-endian, of SHA-1( URLs sorted, joined || token || seconds )
    ///
    /// Bootstrap: the cluster token and no time. Added at run time: an empty token, and the unix
    /// seconds of the moment in decimal. Source: `reference/disk-format.md` §5.
    package init(peerURLs: [String], token: String, addedAtUnixSeconds: Int64? = nil) {
        var text = peerURLs.sorted { $0.precedesBytewise($1) }.joined()
        text += token
        if let addedAtUnixSeconds { text += String(addedAtUnixSeconds) }
        self.init(firstBytesOfSHA1(Array(text.utf8)))
    }

    /// Reads an id as paths and headers carry it: hex of at most 64 bits.
    package init?(hex: some StringProtocol) {
        guard let value = UInt64(hexDigits: hex) else { return nil }
        self.init(value)
    }
}

extension ClusterID {
    /// The id of a cluster, from the ids of its first members.
    ///
    ///     first 8 bytes, big-endian, of SHA-1( member ids ascending, 8 bytes big-endian each )
    package init(members: [MemberID]) {
        precondition(!members.isEmpty, "a cluster begins with at least one member")
        var bytes: [UInt8] = []
        for member in members.sorted() {
            for shift in stride(from: 56, through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: member.rawValue >> UInt64(shift)))
            }
        }
        self.init(firstBytesOfSHA1(bytes))
    }

    /// Reads an id as headers carry it: hex of at most 64 bits.
    package init?(hex: some StringProtocol) {
        guard let value = UInt64(hexDigits: hex) else { return nil }
        self.init(value)
    }
}

extension UInt64 {
    /// Hex digits and nothing else; Swift's own parser would take a sign too.
    fileprivate init?(hexDigits text: some StringProtocol) {
        let hasSign = text.utf8.first.map { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-") }
        guard hasSign == false, let value = UInt64(text, radix: 16) else { return nil }
        self = value
    }
}

private func firstBytesOfSHA1(_ bytes: [UInt8]) -> UInt64 {
    var value: UInt64 = 0
    for byte in Insecure.SHA1.hash(data: bytes).prefix(8) { value = value << 8 | UInt64(byte) }
    return value
}
