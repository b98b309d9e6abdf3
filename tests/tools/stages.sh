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
    rm -rf "$folder/meson-logs/testlog.json" "$folder/sanitizer-reports"
    # Half of the time tests wait for something to happen.
    "${wrapper[@]}" meson test -C "$folder" --no-rebuild --print-errorlogs --num-processes $(($(nproc) * 3 / 2)) \
        "${arguments[@]}" </dev/null || status=$?
    cp "$folder/meson-logs/testlog.json" "$reports/$name.testlog.json" || status=1
    # Of processes of which no test looks at the end.
    local report
    for report in "$folder"/sanitizer-reports/*; do
        [ -f "$report" ] || continue
        say "a sanitizer report: $report"
        cat "$report"
        status=1
    done
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
