internal import CCrypt

/// Passwords as etcd keeps them: bcrypt of cost 10, some 50 ms of a processor.
///
///     $2a$10$ssssssssssssssssssssssHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHH
///     version cost   salt: 16 bytes   hash: 23 bytes              (bcrypt's own base64)
///
/// Only the first 72 bytes of a password count, as in etcd. Called on threads that may block.
package enum PasswordHash {
    private static let cost = 10
    /// Above this, checking one password would hold up all others for seconds. etcd writes 10.
    private static let costMax = 14
    private static let bytesCount = 60
    private static let alphabet = Array(
        "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)

    package static func make(_ password: [UInt8]) -> [UInt8] {
        precondition(!password.contains(0), "C would see only what comes before it")
        guard let hash = bcrypt(password, setting: newSetting(), version: UInt8(ascii: "a")) else {
            preconditionFailure("this libcrypt has no bcrypt")
        }
        return hash
    }

    /// Whether `hash` was made of `password`.
    ///
    /// - Parameter hash: nil: there is no such user. It takes as long as if there were.
    package static func matches(_ password: [UInt8], _ hash: [UInt8]?) -> Bool {
        if !password.contains(0), let hash, let version = version(of: hash),
            let found = bcrypt(password, setting: hash, version: version)
        {
            return ConstantTime.areEqual(found, hash)
        }
        _ = bcrypt([], setting: newSetting(), version: UInt8(ascii: "a"))
        return false
    }

    /// The letter after `$2`; nil if it is not bcrypt, or dearer than we are ready to pay.
    private static func version(of hash: [UInt8]) -> UInt8? {
        let letters = Array("abxy".utf8)
        guard hash.count == bytesCount, hash.starts(with: "$2".utf8), letters.contains(hash[2]),
            hash[3] == UInt8(ascii: "$"), hash[6] == UInt8(ascii: "$"),
            let cost = Int(String(decoding: hash[4..<6], as: UTF8.self)),
            (4...costMax).contains(cost)
        else { return nil }
        return hash[2]
    }

    private static func newSetting() -> [UInt8] {
        var source = SystemRandomNumberGenerator()
        var bits = UInt32(0)
        var bitsCount = 0
        var salt: [UInt8] = []
        for _ in 0..<16 {
            bits = bits << 8 | UInt32(UInt8.random(in: .min ... .max, using: &source))
            bitsCount += 8
            while bitsCount >= 6 {
                bitsCount -= 6
                salt.append(alphabet[Int(bits >> UInt32(bitsCount)) & 63])
            }
        }
        salt.append(alphabet[Int(bits << UInt32(6 - bitsCount)) & 63])
        return Array("$2b$\(cost)$".utf8) + salt
    }

    /// - Parameters:
    ///   - setting: a hash, or what one begins with.
    ///   - version: what the result says. They all stand for the same here: to libcrypt, `a` is the
    ///     one that answers wrongly for some passwords, to be safe with hashes of a bug that Go's
    ///     bcrypt never had.
    private static func bcrypt(
        _ password: [UInt8], setting: [UInt8], version: UInt8
    ) -> [UInt8]? {
        let memoryBytes = kvd_crypt_memory_bytes
        let memory = UnsafeMutableRawPointer.allocate(byteCount: memoryBytes, alignment: 16)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: memoryBytes)
        var setting = setting
        setting[2] = UInt8(ascii: "b")
        let phrase = (password + [0]).map(CChar.init(bitPattern:))
        let text = (setting + [0]).map(CChar.init(bitPattern:))
        guard let result = crypt_rn(phrase, text, memory, CInt(memoryBytes)) else { return nil }
        var hash = String(cString: result).utf8.map { $0 }
        guard hash.count == bytesCount else { return nil }
        hash[2] = version
        return hash
    }
}

enum ConstantTime {
    /// How long it takes depends on the lengths only.
    static func areEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        guard one.count == other.count else { return false }
        var difference: UInt8 = 0
        for place in one.indices { difference |= one[place] ^ other[place] }
        return difference == 0
    }
}
