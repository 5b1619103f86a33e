# Sourced by Scripts/test: how to build and run under a sanitizer.

# sanitize NAME: sets build_flags for tsan, asan or nothing, and the environment for what is built so.
# A sanitized build lies beside the others, so that none takes the place of another.
#
# What a sanitizer has to say goes to files of their own: tests start kvd and other programs of ours by the
# hundred, kill them, start them again, and look into what they wrote only when they miss something. See
# require_no_reports.
sanitize() {
    build_flags=()
    [ -n "$1" ] || return 0
    reports=$root/.build/$1-reports
    mkdir -p "$reports"
    rm -f "$reports"/*
    # Everything takes several times as long: the tests' deadlines, too.
    export KVD_PATIENCE=${KVD_PATIENCE:-5}
    case $1 in
        tsan)
            build_flags=(--scratch-path "$root/.build/tsan" --sanitize thread)
            mkdir -p "$root/.build/tsan"
            clang -O2 -shared -fPIC "$root/Scripts/tsan-mutex.c" -o "$root/.build/tsan/mutex.so" -ldl ||
                fail "Scripts/tsan-mutex.c does not compile: is the clang that comes with Swift on PATH?"
            export LD_PRELOAD="$root/.build/tsan/mutex.so${LD_PRELOAD:+:$LD_PRELOAD}"
            export TSAN_OPTIONS="suppressions=$root/Scripts/tsan-suppressions.txt:history_size=4:log_path=$reports/report${TSAN_OPTIONS:+:$TSAN_OPTIONS}"
            ;;
        asan)
            build_flags=(--scratch-path "$root/.build/asan" --sanitize address)
            # What is there for as long as the process is no leak: Swift's runtime keeps such things.
            export ASAN_OPTIONS="detect_leaks=0:log_path=$reports/report${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
            ;;
    esac
}

# require_no_reports: fails, with all of them, if a process of the tests or one that they started has had
# something reported of it.
require_no_reports() {
    local report
    [ -n "${reports:-}" ] || return 0
    compgen -G "$reports/report.*" >/dev/null || return 0
    for report in "$reports"/report.*; do
        say "--- $report"
        cat "$report" >&2
    done
    fail "the sanitizer has reported something (above; kept in $reports)"
}
