import Fuzzing
import Glibc

/// LLVM's libFuzzer, which prefers inputs that lead to where none has been. Built in by
/// `swift build --sanitize=fuzzer -Xswiftc -DLIBFUZZER`, which `Scripts/fuzz` does.
enum LibFuzzer {
    #if LIBFUZZER
        static let isBuiltIn = true
    #else
        static let isBuiltIn = false
    #endif

    /// What libFuzzer's C calls work with. There is one run in a process, on one thread.
    private struct Session {
        var check: (UnsafeRawBufferPointer) throws -> Void
        var mutator: FuzzMutator
        var finding: FuzzFinding?
    }
    nonisolated(unsafe) private static var session: Session?

    /// Runs until libFuzzer has had enough or a promise was broken. Its own `exit` ends the process
    /// unless it returns.
    static func run(
        _ words: [String], _ mutator: FuzzMutator,
        _ check: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) -> FuzzFinding? {
        session = Session(check: check, mutator: mutator)
        var argc = Int32(words.count + 1)
        var argv = (["kvd-fuzz"] + words).map { strdup($0) }
        argv.append(nil)
        argv.withUnsafeMutableBufferPointer { buffer in
            var base = buffer.baseAddress
            #if LIBFUZZER
                _ = runDriver(&argc, &base, { LibFuzzer.take($0, $1) })
            #else
                _ = (argc, base)
                argc = 0
                base = nil
            #endif
        }
        defer { session = nil }
        return session?.finding
    }

    private static func take(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
        guard session?.finding == nil else { return 0 }
        do {
            try session?.check(UnsafeRawBufferPointer(start: bytes, count: count))
        } catch {
            // libFuzzer has no way to stop but the end of the process.
            print("\(error)")
            fflush(nil)
            _exit(1)
        }
        return 0
    }

    /// Half of the wounds are libFuzzer's, half are ours; checksums are put right as ours are.
    fileprivate static func mutate(
        _ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, _ capacity: Int, _ draw: UInt32
    ) -> Int {
        var input = Array(UnsafeBufferPointer(start: bytes, count: count))
        #if LIBFUZZER
            if draw & 1 == 0 {
                let more = mutateAsItsOwn(bytes, count, capacity)
                input = Array(UnsafeBufferPointer(start: bytes, count: more))
                session?.mutator.finish(&input)
            } else {
                session?.mutator.mutate(&input)
            }
        #endif
        let size = min(input.count, capacity)
        for place in 0..<size { bytes[place] = input[place] }
        return size
    }
}

#if LIBFUZZER
    private typealias TakeInput = @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32

    @_silgen_name("LLVMFuzzerRunDriver")
    private func runDriver(
        _ argc: UnsafeMutablePointer<Int32>,
        _ argv: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
        _ take: TakeInput
    ) -> Int32

    @_silgen_name("LLVMFuzzerMutate")
    private func mutateAsItsOwn(
        _ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, _ capacity: Int
    ) -> Int

    @_cdecl("LLVMFuzzerCustomMutator")
    public func wound(
        _ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, _ capacity: Int, _ draw: UInt32
    ) -> Int {
        LibFuzzer.mutate(bytes, count, capacity, draw)
    }
#endif
