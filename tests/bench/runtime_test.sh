#!/usr/bin/env bash
# A quick run without cargo, and a look at its JSON.
root="$TEST_SRCDIR/$TEST_WORKSPACE"
cd "$root" || exit 1
PATH=/usr/bin:/bin "$root/tests/bench/runtime" --quick --without-tokio --json "$TEST_TMPDIR/report.json" || exit 1
exec python3 "$root/tests/bench/runtime_test.py" "$TEST_TMPDIR/report.json"
