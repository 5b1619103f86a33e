/// Why a request of the auth API is refused, with the text that etcd's clients know.
///
/// The text is bytes: it has names in it.
package struct AuthFault: Error, Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        case badRequest, forbidden, notFound, conflict
        /// The store has something that is none of etcd's entries.
        case unreadable
    }

    package let kind: Kind
    package let message: [UInt8]

    private init(_ kind: Kind, _ parts: [[UInt8]], prefix: String = "auth: ") {
        self.kind = kind
        message = Array(prefix.utf8) + parts.joined()
    }

    /// A fault of the request as such, whose text has no prefix.
    private init(request text: String) {
        self.init(.badRequest, [Array(text.utf8)], prefix: "")
    }

    private static func make(_ kind: Kind, _ text: String) -> AuthFault {
        AuthFault(kind, [Array(text.utf8)])
    }

    static func conflict(
        _ text: String, _ name: [UInt8], _ rest: String = "", _ other: [UInt8] = []
    ) -> AuthFault {
        AuthFault(.conflict, [Array(text.utf8), name, Array(rest.utf8), other])
    }

    // MARK: The request

    package static let notJSON = AuthFault(request: "Invalid JSON in request body.")
    package static let bodyTooLarge = AuthFault(request: "http: request body too large")
    package static let userNameDiffers = AuthFault(
        request: "User JSON name does not match the name in the URL")
    package static let roleNameDiffers = AuthFault(
        request: "Role JSON name does not match the name in the URL")
    static let rolesAndGrant = AuthFault(
        request: "User JSON contains both roles and grant/revoke")
    static let permissionsAndGrant = AuthFault(
        request: "Role JSON contains both permissions and grant/revoke")

    // MARK: Users

    static func noUser(_ name: [UInt8]) -> AuthFault {
        AuthFault(.notFound, [Array("User ".utf8), name, Array(" does not exist.".utf8)])
    }

    /// The same, when it is to be deleted: without a full stop.
    static func noUserToDelete(_ name: [UInt8]) -> AuthFault {
        AuthFault(.notFound, [Array("User ".utf8), name, Array(" does not exist".utf8)])
    }

    static func userExists(_ name: [UInt8]) -> AuthFault {
        AuthFault(.conflict, [Array("User ".utf8), name, Array(" already exists.".utf8)])
    }

    static func noPassword(_ name: [UInt8]) -> AuthFault {
        AuthFault(
            .badRequest,
            [Array("Cannot create user ".utf8), name, Array(" with an empty password".utf8)])
    }

    /// bcrypt as C has it ends at a zero byte, so two passwords would be one.
    static func zeroInPassword(_ name: [UInt8]) -> AuthFault {
        AuthFault(
            .badRequest,
            [Array("The password of user ".utf8), name, Array(" has a zero byte in it".utf8)])
    }

    static let userUnchanged = make(
        .badRequest, "User not updated. Use grant/revoke/password to update the user.")
    static let rootUserNeeded = make(
        .forbidden, "Cannot delete root user while auth is enabled.")

    // MARK: Roles

    static func noRole(_ name: [UInt8]) -> AuthFault {
        AuthFault(.notFound, [Array("Role ".utf8), name, Array(" does not exist.".utf8)])
    }

    static func noRoleToDelete(_ name: [UInt8]) -> AuthFault {
        AuthFault(.notFound, [Array("Role ".utf8), name, Array(" doesn't exist.".utf8)])
    }

    static func roleExists(_ name: [UInt8]) -> AuthFault {
        AuthFault(.conflict, [Array("Role ".utf8), name, Array(" already exists.".utf8)])
    }

    static let roleUnchanged = make(
        .badRequest, "Role not updated. Use grant/revoke to update the role.")
    static let roleIsRoot = make(.forbidden, "Cannot modify role root: is root role.")

    // MARK: The switch

    static let noRootUser = make(.conflict, "No root user available, please create one")
    static let alreadyEnabled = make(.conflict, "already enabled")
    static let alreadyDisabled = make(.conflict, "already disabled")

    // MARK: The store

    static func unreadable(_ path: [UInt8], _ problem: String) -> AuthFault {
        AuthFault(
            .unreadable,
            [
                Array("the entry ".utf8), path, Array(" of the store cannot be read: ".utf8),
                Array(problem.utf8),
            ])
    }
}
