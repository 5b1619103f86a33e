/// Makes a failing sequence small: requests go, then parts of requests, as long as it still fails.
struct SequenceShrinker {
    /// How many sequences may be tried.
    var attemptsLeft = 400
    /// Whether a sequence fails.
    let fails: ([TestRequest]) throws -> Bool

    mutating func shrink(_ sequence: [TestRequest]) throws -> [TestRequest] {
        var sequence = sequence
        var size = max(1, sequence.count / 2)
        while true {
            let before = sequence.count
            try drop(size, from: &sequence)
            if size == 1, sequence.count == before { break }
            size = max(1, size / 2)
        }
        for place in sequence.indices { try simplify(place, of: &sequence) }
        return sequence
    }

    private mutating func stillFails(_ sequence: [TestRequest]) throws -> Bool {
        guard attemptsLeft > 0 else { return false }
        attemptsLeft -= 1
        return try fails(sequence)
    }

    private mutating func drop(_ size: Int, from sequence: inout [TestRequest]) throws {
        // From the end, where what does not matter any more is found soonest.
        var end = sequence.count
        while end > 0 {
            let start = max(0, end - size)
            var shorter = sequence
            shorter.removeSubrange(start..<end)
            if !shorter.isEmpty, try stillFails(shorter) { sequence = shorter }
            end = start
        }
    }

    private mutating func simplify(_ place: Int, of sequence: inout [TestRequest]) throws {
        for simpler in sequence[place].simplerForms {
            var candidate = sequence
            candidate[place] = simpler(candidate[place])
            if candidate[place].bytes == sequence[place].bytes { continue }
            if try stillFails(candidate) { sequence = candidate }
        }
    }
}

extension TestRequest {
    /// Ways to leave out a part of it.
    fileprivate var simplerForms: [(TestRequest) -> TestRequest] {
        var forms: [(TestRequest) -> TestRequest] = [
            {
                var request = $0; request.isChunked = false; return request
            },
            {
                var request = $0
                (request.body, request.headers) = (nil, [])
                return request
            },
        ]
        let query = target.split(separator: "?", maxSplits: 1).dropFirst().first ?? ""
        // A watch without it would be another kind of request.
        for field in Set(query.split(separator: "&")) where field != "wait=true" {
            forms.append { $0.without(field) }
        }
        for field in Set((body ?? "").split(separator: "&")) {
            forms.append {
                var request = $0; request.body = request.body.map { Self.drop(field, from: $0) };
                return request
            }
        }
        return forms
    }

    private func without(_ field: Substring) -> TestRequest {
        var request = self
        let parts = target.split(separator: "?", maxSplits: 1)
        guard parts.count == 2 else { return self }
        let query = Self.drop(field, from: String(parts[1]))
        request.target = parts[0] + (query.isEmpty ? "" : "?" + query)
        return request
    }

    private static func drop(_ field: Substring, from fields: String) -> String {
        fields.split(separator: "&").filter { $0 != field }.joined(separator: "&")
    }
}
