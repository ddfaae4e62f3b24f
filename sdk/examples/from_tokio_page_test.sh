#!/usr/bin/env bash
# Bazel's own Python rules want a toolchain; Debian's interpreter is all this needs.
root="$TEST_SRCDIR/$TEST_WORKSPACE"
exec python3 "$root/sdk/examples/from_tokio_test.py" "$root/docs/sdk/from-tokio.md" "$root/sdk/examples/from_tokio.cc"
