/// Every reader of bytes that others wrote, held to what it promises against bytes that nobody
/// meant.
///
///     Fixtures/fuzz/TARGET/*  ──▶ FuzzCorpus ──▶ FuzzMutator ──▶ FuzzTarget.mend ──▶ FuzzTrial
///     seeds, and inputs that           wounds, tokens,     checksums made      one input at a
///     have found something             lengths, splices    right again         page's very end
///                                                                                   │
///                        FuzzFinding ◀── FuzzTarget.check: the reader's promises ◀──┘
///
/// What is promised, of any bytes: no trap, no read past their end, an end in bounded time, memory
/// in proportion to them; cut into pieces anywhere they read as in one; what was taken for a value
/// is one, and comes back from its own encoding.
///
/// Half of the inputs get their checksums put right after they were wounded, since behind a checksum
/// nobody looks otherwise. `kvd-fuzz` is the program: with libFuzzer, which sees where an input led,
/// or with `FuzzMutator` alone.
package enum Fuzzing {}

/// A promise that was broken.
package struct FuzzFinding: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
