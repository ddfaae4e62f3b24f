#!/usr/bin/env bash
# Bazel's own Python rules want a toolchain; Debian's interpreter is all this needs.
exec python3 "$TEST_SRCDIR/$TEST_WORKSPACE/tests/demo/demo_test.py" "$TEST_SRCDIR/$TEST_WORKSPACE"
