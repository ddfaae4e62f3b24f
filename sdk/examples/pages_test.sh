#!/usr/bin/env bash
# Bazel's own Python rules want a toolchain; Debian's interpreter is all this needs.
cd "$TEST_SRCDIR/$TEST_WORKSPACE" || exit 1
exec python3 sdk/examples/pages_test.py docs/sdk sdk/examples
