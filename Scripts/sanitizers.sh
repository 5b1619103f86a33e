# Sourced by Scripts/test: how to build and run under a sanitizer.

# sanitize NAME: sets build_flags for tsan, asan or nothing, and the environment for what is built so.
# A sanitized build lies beside the others, so that none takes the place of another.
sanitize() {
    build_flags=()
    case $1 in
        tsan)
            build_flags=(--scratch-path "$root/.build/tsan" --sanitize thread)
            mkdir -p "$root/.build/tsan"
            clang -O2 -shared -fPIC "$root/Scripts/tsan-mutex.c" -o "$root/.build/tsan/mutex.so" -ldl ||
                fail "Scripts/tsan-mutex.c does not compile: is the clang that comes with Swift on PATH?"
            export LD_PRELOAD="$root/.build/tsan/mutex.so${LD_PRELOAD:+:$LD_PRELOAD}"
            export TSAN_OPTIONS="suppressions=$root/Scripts/tsan-suppressions.txt:history_size=4${TSAN_OPTIONS:+:$TSAN_OPTIONS}"
            ;;
        asan)
            build_flags=(--scratch-path "$root/.build/asan" --sanitize address)
            # What is there for as long as the process is no leak: Swift's runtime keeps such things.
            export ASAN_OPTIONS="detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
            ;;
    esac
}
