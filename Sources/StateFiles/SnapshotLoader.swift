import KeyStore
package import RaftModel
package import State
package import Storage
package import StorageIO

/// Reads a snapshot file, kvd's or etcd's, into a state, and believes nothing in it unchecked.
package struct SnapshotLoader<IO: FileStorage> {
    package struct Loaded {
        package var image: StateImage
        /// Not compressed.
        package var stateBytes: Int
        /// Of which cluster it is; nil: the file does not say (etcd's).
        package var cluster: ClusterID?
    }

    /// Why a file could not be read into a state.
    package enum Failure: Error, CustomStringConvertible {
        /// What was written is damaged: another snapshot may do.
        case damaged(String)
        /// The disk, or what lies at that path, is in the way.
        case unreadable(String)

        init(_ error: SnapshotError) {
            self = error.isDamage ? .damaged("\(error)") : .unreadable("\(error)")
        }

        package var description: String {
            switch self {
            case .damaged(let text), .unreadable(let text): text
            }
        }
    }

    package let directory: SnapshotDirectory<IO>

    package init(_ directory: SnapshotDirectory<IO>) { self.directory = directory }

    package func load(_ name: SnapshotName) throws(Failure) -> Loaded {
        switch name.format {
        case .kvd: try loadOwn(name)
        case .etcd: try loadEtcd(name)
        }
    }

    private func loadOwn(_ name: SnapshotName) throws(Failure) -> Loaded {
        let reader: SnapshotReader<IO>
        do throws(SnapshotError) { reader = try directory.open(name) } catch {
            throw Failure(error)
        }
        let header = reader.header
        guard header.index == name.index, header.term == name.term else {
            throw .damaged(
                "\(directory.path(of: name)) holds the snapshot of index \(header.index), term "
                    + "\(header.term): it was renamed. Give it back its name, or remove it.")
        }
        let image = try Self.decode(reader)
        return Loaded(
            image: image, stateBytes: reader.stateBytes, cluster: header.cluster)
    }

    /// Reads a whole snapshot into a state, and compares it with what its header says.
    package static func decode(
        _ reader: SnapshotReader<IO>
    ) throws(Failure) -> StateImage {
        do throws(SnapshotContentError) { return try StateImage.read(reader) } catch {
            switch error {
            case .file(let error): throw Failure(error)
            case .state(let error): throw .damaged("\(reader.path): \(error)")
            case .hash(let found, let expected):
                throw .damaged(
                    """
                    \(reader.path): its keys hash to \(String(found, radix: 16)), but when it was \
                    written they hashed to \(String(expected, radix: 16))
                    """)
            }
        }
    }

    private func loadEtcd(_ name: SnapshotName) throws(Failure) -> Loaded {
        let path = directory.path(of: name)
        let bytes: [UInt8]
        do throws(StorageError) {
            bytes = try directory.storage.open(path, for: .reading).readAll()
        } catch {
            throw .unreadable("\(error)")
        }
        do throws(EtcdSnapshotError) {
            return Loaded(
                image: try EtcdSnapshot.decode(bytes), stateBytes: bytes.count, cluster: nil)
        } catch {
            throw .damaged("\(path): \(error)")
        }
    }
}
