# Sourced by the other scripts: brings a machine that has Swift and apt to where kvd builds.
# Quiet when there is nothing to do; says what it installs. Running it twice changes nothing.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

# offer_help PROGRAM ARGUMENTS...: where --help is among the arguments, in front of any --, prints what the
# script's head says, and what PROGRAM says of its flags if it has been built, and ends. PROGRAM may be ''.
offer_help() {
    local program=$1 word build
    shift
    for word in "$@"; do
        case $word in
            --) return ;;
            -h | --help) break ;;
            *) word= ;;
        esac
    done
    [ -n "${word:-}" ] || return 0
    awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$0"
    [ -n "$program" ] || exit 0
    for build in release debug; do
        [ -x "$root/.build/$build/$program" ] || continue
        printf '\n%s --help:\n\n' "$program"
        "$root/.build/$build/$program" --help
        exit 0
    done
    printf '\n%s has not been built yet; then its own --help is shown here, too.\n' "$program"
    exit 0
}

require_swift() {
    command -v swift >/dev/null 2>&1 && return
    fail "swift is not on PATH. Install Swift 6.2 or later (https://swift.org/install), then run this again."
}

# apt_install PACKAGE...: installs those of them that are missing.
apt_install() {
    local missing=() name
    for name in "$@"; do
        dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    command -v apt-get >/dev/null 2>&1 ||
        fail "these packages are missing and there is no apt-get to install them with: ${missing[*]}"
    local sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    say "installing ${missing[*]}"
    local log
    log=$(mktemp)
    {
        "${sudo[@]}" apt-get update -qq &&
            DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq "${missing[@]}"
    } >"$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; return 1; }
    rm -f "$log"
}

require_packages() {
    apt_install liblz4-dev libcrypt-dev pkg-config ||
        fail "liblz4-dev, libcrypt-dev and pkg-config could not be installed (see above)"
}

# Installs Debian's etcd and its client where they are missing. Etcd's service must not run, not even
# for a moment: where no policy forbids services to start, one does so while we install. An existing
# policy is left alone.
install_etcd() {
    command -v etcd >/dev/null && command -v etcdctl >/dev/null && return 0
    [ "$(id -u)" = 0 ] || return 1
    local policy=/usr/sbin/policy-rc.d has_own_policy='' status=0
    if (set -o noclobber; printf '#!/bin/sh\nexit 101\n' >"$policy") 2>/dev/null; then
        chmod 755 "$policy"
        has_own_policy=1
    fi
    apt_install etcd-server etcd-client || status=$?
    if [ -n "$has_own_policy" ]; then rm -f "$policy"; fi
    if command -v systemctl >/dev/null; then
        systemctl disable --now etcd >/dev/null 2>&1 || true
    fi
    return $status
}

# quietly WHAT COMMAND...: runs it, and shows its output only when it fails.
quietly() {
    local what=$1 log
    shift
    say "$what"
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        fail "$what: failed (output above)"
    fi
    rm -f "$log"
}

build_release() {
    quietly "building kvd (release)" swift build --package-path "$root" -c release "$@"
}
