#!/usr/bin/env bash
# Bazel's own Python rules want a toolchain; Debian's interpreter is all this needs.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/tally_test.py"
