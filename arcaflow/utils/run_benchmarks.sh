#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the image, runs the comprehensive suite and writes utils/out/comprehensive_averaged.csv.
#
# usage: utils/run_benchmarks.sh [N | --skip] [ARGUMENTS of run_comprehensive.py…]
#
# N       how often the suite is run; default 5
# --skip  build and run nothing: average what is in utils/out
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${PYTHON:-python3}

runs=5
case ${1:-} in
    --skip)
        shift
        exec "$python" "$here/python/run_comprehensive.py" --skip-runs "$@"
        ;;
    -h | --help)
        sed -n '3,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
        exit
        ;;
    '' | --*) ;;
    *)
        runs=$1
        shift
        [[ $runs =~ ^[1-9][0-9]*$ ]] || {
            echo "run_benchmarks.sh: '$runs' is not a number of runs; give a whole number from 1, or --skip" >&2
            exit 2
        }
        ;;
esac

echo "[1/2] building the image"
mkdir -p "$here/out"
"$here/../build-image.sh" >"$here/out/build.log" 2>&1 || {
    tail -n 30 "$here/out/build.log" >&2
    echo "run_benchmarks.sh: the image was not built; all of it: $here/out/build.log" >&2
    exit 1
}
while IFS= read -r setting; do
    export "${setting?}"
done < <("$here/../build-image.sh" --environment)
echo "[2/2] running the suite $runs times"
exec "$python" "$here/python/run_comprehensive.py" --iterations "$runs" "$@"
