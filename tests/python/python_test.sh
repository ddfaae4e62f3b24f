#!/usr/bin/env bash
# Debian's interpreter: it is the one that has python3-protobuf.
exec /usr/bin/python3 "$TEST_SRCDIR/$TEST_WORKSPACE/tests/python/python_test.py" "$TEST_SRCDIR/$TEST_WORKSPACE"
