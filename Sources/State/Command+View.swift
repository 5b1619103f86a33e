package import KeyStore
package import RaftModel

extension Command {
    /// Borrows the view's bytes; nil for a method that the v2 store does not have.
    package init?(_ view: RequestView) {
        let method: Method
        switch view.method {
        case .put: method = .put
        case .post: method = .post
        case .delete: method = .delete
        case .quorumGet: method = .quorumGet
        case .sync: method = .sync
        case .unknown: return nil
        }
        self.init(method, path: view.path)
        value = view.value
        isDirectory = view.isDirectory
        previousValue = view.previousValue
        previousIndex = view.previousIndex
        previousExists = view.previousExists
        expiration = view.expiration
        isRefresh = view.refresh ?? false
        isRecursive = view.recursive
        time = view.time
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the path does not lie below `/1`, where clients' keys are.
    @inline(__always)
    var isOutsideClientNamespace: Bool { count < 2 || self[1] != UInt8(ascii: "1") }

    /// Whether the path lies below `/0/`: what a member needs to know about the cluster.
    var isBelowClusterNamespace: Bool {
        count > 3 && self[0] == UInt8(ascii: "/") && self[1] == UInt8(ascii: "0")
            && self[2] == UInt8(ascii: "/")
    }
}
