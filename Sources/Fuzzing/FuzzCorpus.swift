package import StorageIO

/// Inputs from files: seeds, and those that have found something once.
package enum FuzzCorpus {
    package struct Input: Sendable {
        package let name: String
        package let bytes: [UInt8]
    }

    /// All files of a folder, in the order of their names.
    package static func read(_ folder: String) throws(StorageError) -> [Input] {
        let storage = PosixStorage()
        guard try storage.kind(of: folder) != nil else { return [] }
        var inputs: [Input] = []
        for name in try storage.list(folder) {
            inputs.append(Input(name: name, bytes: try readFile("\(folder)/\(name)")))
        }
        return inputs
    }

    package static func readFile(_ path: String) throws(StorageError) -> [UInt8] {
        try PosixStorage().open(path, for: .reading).readAll()
    }

    package static func write(_ bytes: [UInt8], to path: String) throws(StorageError) {
        try PosixStorage().open(path, for: .replacing).write(bytes, at: 0)
    }
}
