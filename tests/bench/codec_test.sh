#!/usr/bin/env bash
# A quick run, and a look at its JSON.
root="$TEST_SRCDIR/$TEST_WORKSPACE"
cd "$root" || exit 1
"$root/tests/bench/codec" --quick --json "$TEST_TMPDIR/report.json" || exit 1
exec python3 "$root/tests/bench/codec_test.py" "$TEST_TMPDIR/report.json"
