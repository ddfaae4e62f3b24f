#!/usr/bin/env bash
# Bazel's own Python rules want a toolchain; Debian's interpreter is all this needs.
root="$TEST_SRCDIR/$TEST_WORKSPACE"
exec python3 "$root/deploy/check_coroutines_test.py" "$root/deploy/check-coroutines" "$root"/sdk/examples/*.cc
