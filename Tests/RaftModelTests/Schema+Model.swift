import Foundation
import RaftModel
import SchemaSupport
import SwiftProtobuf

/// A value and what the schema calls it. `schema(_:)` sets exactly the fields that our encoder
/// must write; `init(schema:)` reads a field that is missing as protobuf's default.
protocol SchemaValue: WireCodable, Equatable {
    associatedtype Schema: SwiftProtobuf.Message & Equatable
    init(schema: Schema)
    func schema(_ dialect: WireDialect) -> Schema
}

extension WireDialect {
    /// Whether a field of these bytes is written.
    func writes(_ bytes: [UInt8]) -> Bool { !bytes.isEmpty || self == .etcd20 }
}

extension Entry: SchemaValue {
    init(schema: SchemaEntry) {
        self.init(
            kind: Kind(rawValue: UInt8(schema.kind.rawValue)) ?? .normal, term: schema.term,
            index: schema.index, data: [UInt8](schema.data))
    }

    func schema(_ dialect: WireDialect) -> SchemaEntry {
        .with {
            $0.kind = SchemaEntryKind(rawValue: Int(kind.rawValue)) ?? .entryNormal
            ($0.term, $0.index) = (term, index)
            if dialect.writes(data) { $0.data = Data(data) }
        }
    }
}

extension HardState: SchemaValue {
    init(schema: SchemaHardState) {
        self.init(term: schema.term, vote: MemberID(schema.vote), commit: schema.commit)
    }

    func schema(_ dialect: WireDialect) -> SchemaHardState {
        .with { ($0.term, $0.vote, $0.commit) = (term, vote.rawValue, commit) }
    }
}

extension ConfState: SchemaValue {
    init(schema: SchemaConfState) { self.init(members: schema.members.map { MemberID($0) }) }

    func schema(_ dialect: WireDialect) -> SchemaConfState {
        .with { $0.members = members.map(\.rawValue) }
    }
}

extension SnapshotMetadata: SchemaValue {
    init(schema: SchemaSnapshotMetadata) {
        self.init(
            confState: ConfState(schema: schema.confState), index: schema.index, term: schema.term)
    }

    func schema(_ dialect: WireDialect) -> SchemaSnapshotMetadata {
        .with {
            $0.confState = confState.schema(dialect)
            ($0.index, $0.term) = (index, term)
        }
    }
}

extension Snapshot: SchemaValue {
    init(schema: SchemaSnapshot) {
        self.init(
            data: [UInt8](schema.data), metadata: SnapshotMetadata(schema: schema.metadata))
    }

    func schema(_ dialect: WireDialect) -> SchemaSnapshot {
        .with {
            if dialect.writes(data) { $0.data = Data(data) }
            $0.metadata = metadata.schema(dialect)
        }
    }
}

extension RaftModel.Message: SchemaValue {
    init(schema: SchemaMessage) {
        let snapshot = Snapshot(schema: schema.snapshot)
        self.init(
            Kind(rawValue: UInt8(schema.kind.rawValue)) ?? .hup, to: MemberID(schema.to),
            from: MemberID(schema.from), term: schema.term, logTerm: schema.logTerm,
            index: schema.index, entries: schema.entries.map { Entry(schema: $0) },
            commit: schema.commit, snapshot: snapshot == Snapshot() ? nil : snapshot,
            reject: schema.reject, rejectHint: schema.rejectHint,
            context: [UInt8](schema.context))
    }

    func schema(_ dialect: WireDialect) -> SchemaMessage {
        .with {
            $0.kind = SchemaMessageKind(rawValue: Int(kind.rawValue)) ?? .messageHup
            ($0.to, $0.from, $0.term) = (to.rawValue, from.rawValue, term)
            ($0.logTerm, $0.index, $0.commit) = (logTerm, index, commit)
            $0.entries = entries.map { $0.schema(dialect) }
            $0.snapshot = (snapshot ?? Snapshot()).schema(dialect)
            ($0.reject, $0.rejectHint) = (reject, rejectHint)
            // 2.0 never heard of field 12.
            if !context.isEmpty { $0.context = Data(context) }
        }
    }
}

extension ConfChange: SchemaValue {
    init(schema: SchemaConfChange) {
        self.init(
            id: schema.id, kind: Kind(rawValue: UInt8(schema.kind.rawValue)) ?? .add,
            member: MemberID(schema.member), context: [UInt8](schema.context))
    }

    func schema(_ dialect: WireDialect) -> SchemaConfChange {
        .with {
            $0.kind = SchemaConfChangeKind(rawValue: Int(kind.rawValue)) ?? .confChangeAdd
            ($0.id, $0.member) = (id, member.rawValue)
            if dialect.writes(context) { $0.context = Data(context) }
        }
    }
}

extension Request: SchemaValue {
    private static let words: [(RequestView.Method, String)] = [
        (.put, "PUT"), (.post, "POST"), (.delete, "DELETE"), (.quorumGet, "QGET"),
        (.sync, "SYNC"),
    ]

    init(schema: SchemaRequest) {
        let method = Self.words.first { Data($0.1.utf8) == schema.method }?.0
        self.init(
            id: schema.id, method: method ?? .unknown, path: [UInt8](schema.path),
            value: [UInt8](schema.value))
        isDirectory = schema.isDirectory
        previousValue = [UInt8](schema.previousValue)
        previousIndex = schema.previousIndex
        previousExists = schema.hasPreviousExists ? schema.previousExists : nil
        (expiration, time, since) = (schema.expiration, schema.time, schema.since)
        (wait, recursive, sorted) = (schema.wait, schema.recursive, schema.sorted)
        (quorum, stream) = (schema.quorum, schema.stream)
        refresh = schema.hasRefresh ? schema.refresh : nil
    }

    func schema(_ dialect: WireDialect) -> SchemaRequest {
        .with {
            let word = Self.words.first { $0.0 == method }?.1 ?? ""
            ($0.id, $0.method) = (id, Data(word.utf8))
            ($0.path, $0.value) = (Data(path), Data(value))
            ($0.isDirectory, $0.previousValue) = (isDirectory, Data(previousValue))
            $0.previousIndex = previousIndex
            if let previousExists { $0.previousExists = previousExists }
            ($0.expiration, $0.time, $0.since) = (expiration, time, since)
            ($0.wait, $0.recursive, $0.sorted) = (wait, recursive, sorted)
            ($0.quorum, $0.stream) = (quorum, stream)
            if let refresh { $0.refresh = refresh }
        }
    }
}
