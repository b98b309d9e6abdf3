# SPDX-License-Identifier: Apache-2.0
# Sourced by ./dev: the stages of `./dev test`, timed, and counted together by report.py.

reports=build/reports
tsan_wrapper=()

stages_begin() {
    rm -rf "$reports"
    mkdir -p "$reports"
    .venv/bin/python3 tests/tools/leftovers.py remember "$reports/before.json"
    # The memory layout that the thread sanitizer expects is not there with more random bits.
    if [ "$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)" -gt 28 ] && setarch -R true 2>/dev/null; then
        tsan_wrapper=(setarch -R)
    fi
    export ASAN_OPTIONS=halt_on_error=1:abort_on_error=1:detect_leaks=1:strict_string_checks=1
    export UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1
    # The second Ctrl-C ends a program with its threads running: no leak.
    export TSAN_OPTIONS=halt_on_error=1:abort_on_error=1:second_deadlock_stack=1:report_thread_leaks=0
}

# Writes a stage's name, seconds, exit status and what its tests reported to.
record_stage() { printf '%s\t%s\t%s\t%s\n' "$@" >>"$reports/stages.tsv"; }

# stage NAME COMMAND…: counts as one test.
stage() {
    local name=$1 status=0 begin=$SECONDS
    shift
    say "$name"
    quiet_build=1 "$@" || status=$?
    record_stage "$name" $((SECONDS - begin)) $status ""
    return $status
}

# stage_meson NAME FOLDER [WRAPPER… | --suite SUITE]: all suites of a build.
stage_meson() {
    local name=$1 folder=$2 status=0 begin=$SECONDS
    shift 2
    local wrapper=() arguments=()
    case $folder in build-*) arguments=(--suite sanitized) ;; esac
    case ${1:-} in
        --*) arguments=("$@") ;;
        *) wrapper=("$@") ;;
    esac
    say "tests: $name"
    rm -f "$folder/meson-logs/testlog.json"
    "${wrapper[@]}" meson test -C "$folder" --no-rebuild --print-errorlogs "${arguments[@]}" </dev/null || status=$?
    cp "$folder/meson-logs/testlog.json" "$reports/$name.testlog.json" || status=1
    record_stage "tests-$name" $((SECONDS - begin)) $status "$name.testlog.json"
}

# stage_pytest NAME FOLDER
stage_pytest() {
    local name=$1 folder=$2 status=0 begin=$SECONDS
    say "tests: $name"
    IPCMARK_BUILD_ROOT=$PWD/build IPCMARK_SOURCE_ROOT=$PWD PYTHONDONTWRITEBYTECODE=1 \
        .venv/bin/python3 -m pytest -q --tb=short --color=no "$folder" </dev/null 2>&1 |
        tee "$reports/$name.pytest.txt" || status=$?
    record_stage "tests-$name" $((SECONDS - begin)) $status "$name.pytest.txt"
}

nothing_left() { .venv/bin/python3 tests/tools/leftovers.py check "$reports/before.json"; }

# The last line is the sum over all stages; the exit status is that of the whole.
stages_report() { .venv/bin/python3 tests/tools/report.py "$reports"; }
