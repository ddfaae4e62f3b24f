#!/usr/bin/env bash
# Counts instructions per call and compares with the baseline, or does what else instructions.py can. Bazel starts this
# where all that it needs lies. $1: the program that makes the calls; further arguments are instructions.py's.
set -euo pipefail
baseline=tests/bench/instructions_baseline.json
# `bazel run` says where the checkout is: --update writes there.
[[ -n "${BUILD_WORKSPACE_DIRECTORY:-}" ]] && baseline="$BUILD_WORKSPACE_DIRECTORY/$baseline"
exec python3 tests/bench/counted/instructions.py --program "$1" --baseline "$baseline" "${@:2}"
