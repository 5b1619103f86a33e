import Cluster
import KeyStore
package import RaftModel

/// A member's word on what its store hashes to after an entry, as an entry of the log.
///
/// It travels as a SYNC of time 0 with a path, in which nothing expires and which members of etcd
/// 2.3 take for just that: path `/hash/1/<member>`, where 1 is the version of the hash; the entry's
/// index as `prevIndex`; the hash as 16 hex digits as the value.
package struct HashReport: Equatable, Sendable {
    package var member: MemberID
    /// The entry after which the store had this hash.
    package var index: UInt64
    package var hash: UInt64

    package init(member: MemberID, index: UInt64, hash: UInt64) {
        (self.member, self.index, self.hash) = (member, index, hash)
    }

    private static let prefix = Array("/hash/\(ContentHash.version)/".utf8)

    /// Nil if `view` is none, or is of another version of the hash.
    package init?(_ view: RequestView) {
        guard view.method == .sync, view.path.count > Self.prefix.count,
            view.path.prefix(Self.prefix.count).elementsEqual(Self.prefix),
            let member = MemberID(
                hex: String(decoding: view.path.dropFirst(Self.prefix.count), as: UTF8.self)),
            let hash = UInt64(String(decoding: view.value, as: UTF8.self), radix: 16)
        else { return nil }
        self.init(member: member, index: view.previousIndex, hash: hash)
    }

    /// Calls `body` with the command that reports it; its id is still to be set.
    package func withView<Result>(_ body: (RequestView) -> Result) -> Result {
        var request = Request(method: .sync, path: Self.prefix + Array("\(member)".utf8))
        request.value = Array(String(hash, radix: 16).utf8)
        request.previousIndex = index
        return request.withView(body)
    }
}
