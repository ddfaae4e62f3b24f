#!/usr/bin/env bash
# Installs what is missing, builds everything, runs every test, and ends with `N passed, N failed` (test cases).
# Further arguments go to `bazel test`, for example --config=asan. Works from any folder.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

deploy/install-deps.sh || exit 1

events=$(mktemp)
trap 'rm -f "$events"' EXIT

"${BAZEL:-bazel}" test --keep_going --build_tests_only=false --curses=no --color=no --show_progress_rate_limit=60 \
  --test_summary=terse --build_event_json_file="$events" "$@" -- //...
status=$?

python3 tests/tally.py --bazel-status=$status "$events"
