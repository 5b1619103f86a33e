import Glibc

/// The state of a `SimulatedStorage`: what is on the disk, and what only the cache knows.
///
/// Nodes are files and directories, found by walking names from node 0, the root. A node has two
/// selves: the live one, and the durable one that a crash falls back to; `dirty` sectors and
/// `pendingNames` are what lies between them.
struct SimulatedDisk: Sendable {
    static let sectorBytes = 512

    enum NameChange: Sendable {
        case link(String, Int)
        case remove(String)
        case rename(String, to: String, Int)
    }

    struct Node: Sendable {
        var isDirectory: Bool
        // Files.
        var cached: [UInt8] = []
        var durable: [UInt8] = []
        /// Numbers of the sectors written since they were last made durable.
        var dirty: Set<Int> = []
        var mapping: MappedRegion?
        var isLocked = false
        // Directories.
        var names: [String: Int] = [:]
        var durableNames: [String: Int] = [:]
        var pendingNames: [NameChange] = []
    }

    var nodes = [Node(isDirectory: true)]
    var random: SplitMix64
    var faults: [(fault: StorageFault, seen: Int)] = []
    var callCount = 0
    var trace: [StorageCall]?
    var observer: (@Sendable (StorageCall, SimulatedDisk) -> Void)?
    var capacityBytes: Int?
    var bootID: BootID
    /// Raised when open files die with their process; a file of an older one is of no use.
    var epoch = 0
    var isUp = true

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        bootID = BootID(high: random.next(), low: random.next())
    }

    /// What a call that does not simply go ahead does.
    struct Failure {
        var error: StorageError
        var isPowerFailure = false
        /// Nothing is done and nothing thrown.
        var isLie = false
    }

    /// Nil: the call goes ahead.
    mutating func admit(_ call: StorageCall) -> Failure? {
        if let observer { observer(call, self) }
        callCount += 1
        trace?.append(call)
        let off = StorageError(call.operation, call.path, code: ESHUTDOWN)
        guard isUp else { return Failure(error: off) }
        var hit: StorageFault?
        for i in faults.indices where faults[i].fault.counts(call) {
            faults[i].seen += 1
            let (fault, seen) = faults[i]
            if seen == fault.nth || (fault.repeats && seen > fault.nth) { hit = hit ?? fault }
        }
        switch hit?.effect {
        case nil: return nil
        case .lie:
            precondition(call.operation == .sync || call.operation == .syncDirectory)
            return Failure(error: off, isLie: true)
        case .fail(let code):
            return Failure(error: StorageError(call.operation, call.path, code: code))
        case .powerFailure:
            isUp = false
            return Failure(error: off, isPowerFailure: true)
        }
    }

    // MARK: Names

    func find(_ path: String) -> Int? {
        var id = 0
        for name in path.split(separator: "/") {
            guard let next = nodes[id].names[String(name)] else { return nil }
            id = next
        }
        return id
    }

    func directory(_ path: String, _ operation: StorageOperation) throws(StorageError) -> Int {
        guard let id = find(path) else { throw StorageError(operation, path, code: ENOENT) }
        guard nodes[id].isDirectory else { throw StorageError(operation, path, code: ENOTDIR) }
        return id
    }

    func parent(
        of path: String, _ operation: StorageOperation
    ) throws(StorageError) -> (Int, name: String) {
        let parts = path.split(separator: "/")
        guard let name = parts.last else { throw StorageError(operation, path, code: EINVAL) }
        let directoryPath = parts.dropLast().joined(separator: "/")
        guard let id = find(directoryPath) else {
            throw StorageError(operation, path, code: ENOENT)
        }
        guard nodes[id].isDirectory else { throw StorageError(operation, path, code: ENOTDIR) }
        return (id, String(name))
    }

    mutating func newNode(isDirectory: Bool) -> Int {
        nodes.append(Node(isDirectory: isDirectory))
        return nodes.count - 1
    }

    mutating func link(_ name: String, to id: Int, in parent: Int) {
        nodes[parent].names[name] = id
        nodes[parent].pendingNames.append(.link(name, id))
    }

    mutating func open(_ path: String, for use: StorageUse) throws(StorageError) -> Int {
        let (parent, name) = try parent(of: path, .open)
        guard let id = nodes[parent].names[name] else {
            guard use != .reading, use != .updating else {
                throw StorageError(.open, path, code: ENOENT)
            }
            let id = newNode(isDirectory: false)
            link(name, to: id, in: parent)
            return id
        }
        guard use != .creating else { throw StorageError(.open, path, code: EEXIST) }
        guard !nodes[id].isDirectory else { throw StorageError(.open, path, code: EISDIR) }
        if use == .replacing { resize(id, to: 0) }
        return id
    }

    mutating func rename(_ source: String, to target: String) throws(StorageError) {
        let (sourceParent, sourceName) = try parent(of: source, .rename)
        let (targetParent, targetName) = try parent(of: target, .rename)
        guard let id = nodes[sourceParent].names[sourceName] else {
            throw StorageError(.rename, source, code: ENOENT)
        }
        nodes[sourceParent].names[sourceName] = nil
        nodes[targetParent].names[targetName] = id
        if sourceParent == targetParent {
            let change = NameChange.rename(sourceName, to: targetName, id)
            nodes[sourceParent].pendingNames.append(change)
        } else {
            nodes[sourceParent].pendingNames.append(.remove(sourceName))
            nodes[targetParent].pendingNames.append(.link(targetName, id))
        }
    }

    mutating func syncNames(of directory: String) throws(StorageError) {
        let id = try self.directory(directory, .syncDirectory)
        nodes[id].durableNames = nodes[id].names
        nodes[id].pendingNames = []
    }

    /// Takes a file's name away, durably.
    mutating func loseFile(_ path: String) {
        guard let (parent, name) = try? parent(of: path, .remove), nodes[parent].names[name] != nil
        else {
            preconditionFailure("no file \(path)")
        }
        nodes[parent].names[name] = nil
        nodes[parent].durableNames[name] = nil
        nodes[parent].pendingNames.removeAll { change in
            guard case .link(let linked, _) = change else { return false }
            return linked == name
        }
    }

    /// A file for a test to begin with, and the directories on the way to it.
    mutating func createDurably(_ path: String) -> Int {
        var id = 0
        let parts = path.split(separator: "/").map(String.init)
        for (i, name) in parts.enumerated() {
            if let next = nodes[id].names[name] {
                id = next
                continue
            }
            let new = newNode(isDirectory: i < parts.count - 1)
            nodes[id].names[name] = new
            nodes[id].durableNames[name] = new
            id = new
        }
        return id
    }

    // MARK: Bytes

    /// Bytes of all files that have a name.
    var usedBytes: Int {
        var named: Set<Int> = []
        for node in nodes where node.isDirectory { named.formUnion(node.names.values) }
        return named.reduce(0) { $0 + nodes[$1].cached.count }
    }

    /// Throws ENOSPC if `id` may not grow to `size`.
    func reserve(_ size: Int, for id: Int, _ call: StorageCall) throws(StorageError) {
        guard let capacityBytes else { return }
        let growth = size - nodes[id].cached.count
        guard growth <= 0 || usedBytes + growth <= capacityBytes else {
            throw StorageError(call.operation, call.path, code: ENOSPC)
        }
    }

    mutating func resize(_ id: Int, to size: Int) {
        let old = nodes[id].cached.count
        if size < old {
            nodes[id].cached.removeLast(old - size)
            markDirty(id, size..<old)
        } else {
            nodes[id].cached.append(contentsOf: [UInt8](repeating: 0, count: size - old))
        }
    }

    mutating func write(_ bytes: UnsafeRawBufferPointer, to id: Int, at offset: Int) {
        let end = offset + bytes.count
        if nodes[id].cached.count < end { resize(id, to: end) }
        nodes[id].cached.withUnsafeMutableBytes { memory in
            UnsafeMutableRawBufferPointer(rebasing: memory[offset..<end]).copyMemory(from: bytes)
        }
        markDirty(id, offset..<end)
    }

    mutating func markDirty(_ id: Int, _ range: Range<Int>) {
        guard !range.isEmpty else { return }
        let last = (range.upperBound - 1) / Self.sectorBytes
        nodes[id].dirty.formUnion((range.lowerBound / Self.sectorBytes)...last)
    }

    /// Makes `id` durable: all of it, or (a sync that failed) a part, the rest never to be.
    mutating func sync(_ id: Int, losing: Bool) {
        foldMapping(id)
        let size = nodes[id].cached.count
        var durable = nodes[id].durable
        if durable.count > size {
            durable.removeLast(durable.count - size)
        } else {
            durable.append(contentsOf: [UInt8](repeating: 0, count: size - durable.count))
        }
        // Sorted, because a set's order differs from run to run.
        for sector in nodes[id].dirty.sorted() {
            if losing, random.coin() { continue }
            copySector(sector, of: nodes[id].cached, to: &durable)
        }
        nodes[id].durable = durable
        nodes[id].dirty = []
    }

    private func copySector(_ sector: Int, of source: [UInt8], to target: inout [UInt8]) {
        let start = sector * Self.sectorBytes
        let end = min(start + Self.sectorBytes, target.count)
        guard start < end else { return }
        // In memory moves: a debug build walks arrays element by element very slowly.
        let copied = max(0, min(end, source.count) - start)
        source.withUnsafeBytes { source in
            target.withUnsafeMutableBytes { target in
                let sector = UnsafeMutableRawBufferPointer(rebasing: target[start..<end])
                sector.initializeMemory(as: UInt8.self, repeating: 0)
                guard copied > 0 else { return }
                sector.copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: source[start..<(start + copied)]))
            }
        }
    }

    /// Takes over what was stored to a mapping since the last look.
    mutating func foldMapping(_ id: Int) {
        guard let mapping = nodes[id].mapping else { return }
        for i in 0..<min(mapping.bytes.count, nodes[id].cached.count)
        where nodes[id].cached[i] != mapping.bytes[i] {
            nodes[id].cached[i] = mapping.bytes[i]
            nodes[id].dirty.insert(i / Self.sectorBytes)
        }
    }

    // MARK: Ends

    mutating func killProcess() {
        for id in nodes.indices {
            foldMapping(id)
            nodes[id].mapping = nil
            nodes[id].isLocked = false
        }
        epoch += 1
        isUp = true
    }

    mutating func crash(keeping survivors: SimulatedStorage.Survivors) {
        killProcess()
        for id in nodes.indices {
            if nodes[id].isDirectory {
                loseNames(id, survivors)
            } else {
                loseBytes(id, survivors)
            }
        }
        bootID = BootID(high: random.next(), low: random.next())
    }

    private mutating func survives(_ survivors: SimulatedStorage.Survivors) -> Bool {
        switch survivors {
        case .any: random.coin()
        case .nothing: false
        case .everything: true
        }
    }

    private mutating func loseNames(_ id: Int, _ survivors: SimulatedStorage.Survivors) {
        var names = nodes[id].durableNames
        for change in nodes[id].pendingNames where survives(survivors) {
            switch change {
            case .link(let name, let node): names[name] = node
            case .remove(let name): names[name] = nil
            case .rename(let old, let new, let node):
                if names[old] == node { names[old] = nil }
                names[new] = node
            }
        }
        nodes[id].names = names
        nodes[id].durableNames = names
        nodes[id].pendingNames = []
    }

    private mutating func loseBytes(_ id: Int, _ survivors: SimulatedStorage.Survivors) {
        let cached = nodes[id].cached
        var survivor = nodes[id].durable
        if cached.count > survivor.count {
            let growth = cached.count - survivor.count
            let kept = survivors == .any ? random.below(growth + 1) : growth
            let grown = survivors == .nothing ? 0 : kept
            survivor.append(contentsOf: [UInt8](repeating: 0, count: grown))
        } else if survives(survivors) {
            survivor.removeLast(survivor.count - cached.count)
        }
        for sector in nodes[id].dirty.sorted() where survives(survivors) {
            copySector(sector, of: cached, to: &survivor)
        }
        nodes[id].cached = survivor
        nodes[id].durable = survivor
        nodes[id].dirty = []
    }
}
