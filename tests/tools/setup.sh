# SPDX-License-Identifier: Apache-2.0
# Sourced by ./dev: installs what is missing and makes the builds. Each function does nothing where nothing is to do.

say() { printf '\033[1m==>\033[0m %s\n' "$*" | if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9;]*m//g'; fi; }
fail() {
    printf 'dev: %s\n' "$*" >&2
    exit 1
}

# quietly NAME COMMAND…: its output goes to build/logs/NAME.log and is shown if it fails.
quietly() {
    local log=build/logs/$1.log
    shift
    mkdir -p build/logs
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 60 "$log" >&2
        printf 'dev: failed: %s (all of its output: %s)\n' "$*" "$log" >&2
        return 1
    fi
}

# The lines of the given sections of packages.apt.
listed_packages() {
    awk -v wanted=" $* " '/^#/ || !NF { next } /^\[/ { gsub(/[][]/, ""); section = $0; next }
        index(wanted, " " section " ")' packages.apt
}

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Of a line such as `a | b`: prints nothing if one of them is installed, else all of them.
missing_alternatives() {
    local name
    for name in ${1//|/ }; do
        ! installed "$name" || return 0
    done
    echo "${1//|/ }"
}

first_available() {
    local name
    for name in "$@"; do
        if [ -n "$(apt-cache policy "$name" 2>/dev/null | grep 'Candidate: [^(]')" ]; then
            echo "$name"
            return
        fi
    done
    echo "$1"
}

# setup_packages SECTION…: installs what packages.apt lists in these sections.
setup_packages() {
    if ! command -v dpkg-query >/dev/null; then
        say "not a Debian system: packages.apt names what must be installed"
        return
    fi
    local line missing=()
    while IFS= read -r line; do
        line=$(missing_alternatives "$line")
        [ -z "$line" ] || missing+=("$line")
    done < <(listed_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0

    local root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "missing packages, and neither root nor sudo to install them: ${missing[*]}"
        root=(sudo)
    fi
    say "installing ${#missing[@]} missing packages"
    quietly apt-update "${root[@]}" apt-get update -q
    local packages=()
    for line in "${missing[@]}"; do
        packages+=("$(first_available $line)")
    done
    quietly apt-install "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qy --no-install-recommends "${packages[@]}"
}

# The Python environment of the tests: the first python3 that is new enough and can make one.
setup_venv() {
    cmp -s requirements.txt .venv/requirements.txt && return
    local python
    for python in python3 /usr/bin/python3; do
        if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            say "installing Python packages into .venv"
            rm -rf .venv
            quietly venv "$python" -m venv .venv
            quietly pip .venv/bin/python3 -m pip install --disable-pip-version-check -q -r requirements.txt
            cp requirements.txt .venv/
            return
        fi
    done
    fail "no python3 of version 3.11 or newer with venv and pip"
}

# configure FOLDER OPTIONS…: anew where the folder is not set up, otherwise nothing.
configure() {
    local folder=$1
    shift
    [ -f "$folder/build.ninja" ] || quietly "setup-${folder//\//-}" meson setup "$folder" "$@"
}

build_release() {
    configure build --buildtype=release || return 1
    [ -n "${quiet_build:-}" ] || say "building in build/"
    quietly build ninja -C build
}

# Line numbers are all that a report shows.
sanitizer_options=(-Doptimization=1 -Ddebug=false -Dc_args=-g1 -Dcpp_args=-g1 -Db_lundef=false -Db_ndebug=false -Db_pch=true)

# build_sanitized asan|tsan. By clang, the release build being gcc's: both see all the code, and with the sanitizers gcc
# takes thrice as long.
build_sanitized() {
    local kinds=thread
    [ "$1" = tsan ] || kinds=address,undefined
    CC=clang-14 CXX=clang++-14 configure "build-$1" "${sanitizer_options[@]}" -Db_sanitize=$kinds || return 1
    quietly "build-$1" ninja -C "build-$1" sanitized
}

# build_beside asan|tsan: begins that build in what the tests leave of the CPUs, of which they use two thirds. In the
# scheduler's idle class it takes next to nothing from them.
build_beside() {
    set -m # a process group of its own, to be ended as one
    (
        chrt --idle --pid 0 "$BASHPID" 2>/dev/null || renice -n 19 "$BASHPID" >/dev/null || true
        build_sanitized "$1"
    ) </dev/null &
    set +m
    beside_pid=$!
    trap 'kill -- "-$beside_pid" 2>/dev/null || true' EXIT
}

# build_awaited asan|tsan: what was begun is ended, what was not is made now.
build_awaited() {
    [ -n "${beside_pid:-}" ] || {
        build_sanitized "$1"
        return
    }
    local status=0
    wait "$beside_pid" || status=$?
    trap - EXIT
    beside_pid=
    return $status
}

# C and C++ sources of the repository, separated by NUL.
c_sources() { git ls-files -z -- '*.c' '*.h' '*.cpp' '*.hpp'; }

lint_sources() {
    local failed=0
    c_sources | xargs -0 clang-format-14 --dry-run -Werror || failed=1
    .venv/bin/ruff check . || failed=1
    .venv/bin/ruff format --check --quiet . || {
        echo "ruff format: not in the repository's format; ./dev format rewrites them"
        failed=1
    }
    return $failed
}
