#!/usr/bin/env bash
# Runs every cell of the benchmark once and briefly, and checks that each measured something.
set -euo pipefail
folder="$(dirname "${BASH_SOURCE[0]}")"
"$folder/call" --quick --json "$TEST_TMPDIR/result.json"
python3 "$folder/call_test.py" "$TEST_TMPDIR/result.json"
