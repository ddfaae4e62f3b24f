#!/usr/bin/env bash
# Bazel's own Python rules want a toolchain; Debian's interpreter is all this needs.
root="$TEST_SRCDIR/$TEST_WORKSPACE"
exec python3 "$root/tests/tokio/parity_test.py" "$root/docs/sdk/tokio-parity.md" $(find "$root/tests/tokio" -maxdepth 1 -name "*_test" ! -name parity_page_test)
