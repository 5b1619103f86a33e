import Fuzzing
import Glibc

#if LIBFUZZER
    import ArgumentParser
#endif

/// LLVM's libFuzzer, which prefers inputs that lead to where none has been. Built in by
/// `swift build --sanitize fuzzer -Xswiftc -DLIBFUZZER`, which `Scripts/fuzz` does.
enum LibFuzzer {
    #if LIBFUZZER
        static let isBuiltIn = true
    #else
        static let isBuiltIn = false
    #endif

    /// What libFuzzer's C calls work with. There is one run in a process, on one thread.
    private struct Session {
        var check: (UnsafeRawBufferPointer) throws -> Void
        var atEnd: () -> Void
        var mutator: FuzzMutator
    }
    nonisolated(unsafe) private static var session: Session?

    static var isRunning: Bool { session != nil }

    /// Runs until libFuzzer has had enough, or a promise was broken. It ends the process itself;
    /// `atEnd` is called before.
    static func run(
        _ words: [String], _ mutator: FuzzMutator, atEnd: @escaping () -> Void,
        _ check: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) {
        session = Session(check: check, atEnd: atEnd, mutator: mutator)
        atexit { LibFuzzer.session?.atEnd() }
        #if LIBFUZZER
            var argc = Int32(words.count + 1)
            var argv = (["kvd-fuzz"] + words).map { strdup($0) }
            argv.append(nil)
            argv.withUnsafeMutableBufferPointer { buffer in
                var base = buffer.baseAddress
                _ = runDriver(&argc, &base, { LibFuzzer.take($0, $1) })
            }
        #endif
    }

    fileprivate static func take(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
        do {
            try session?.check(UnsafeRawBufferPointer(start: bytes, count: count))
        } catch {
            print("\(error)")
            fflush(nil)
            // libFuzzer has no other way to stop.
            _exit(1)
        }
        return 0
    }

    /// Half of the wounds are libFuzzer's, half are ours; checksums are put right as ours are.
    fileprivate static func mutate(
        _ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, _ capacity: Int, _ draw: UInt32,
        _ mutateAsItsOwn: (UnsafeMutablePointer<UInt8>, Int, Int) -> Int
    ) -> Int {
        let isItsOwn = draw & 1 == 0
        let kept = isItsOwn ? mutateAsItsOwn(bytes, count, capacity) : count
        var input = Array(UnsafeBufferPointer(start: bytes, count: kept))
        if isItsOwn { session?.mutator.finish(&input) } else { session?.mutator.mutate(&input) }
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
        LibFuzzer.mutate(bytes, count, capacity, draw) { mutateAsItsOwn($0, $1, $2) }
    }

    /// libFuzzer comes with a `main`, which is the one that is linked; it calls this first.
    @_cdecl("LLVMFuzzerInitialize")
    public func initialize(
        _ argc: UnsafeMutablePointer<Int32>,
        _ argv: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>
    ) -> Int32 {
        if LibFuzzer.isRunning { return 0 }
        KvdFuzz.main()
        exit(0)
    }

    /// That `main` asks for it.
    @_cdecl("LLVMFuzzerTestOneInput")
    public func take(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
        LibFuzzer.take(bytes, count)
    }
#endif
