#!/usr/bin/env bash
# Debian's interpreter: it is the one that has python3-protobuf. Arguments go on: `bazel run` it with --seconds=600.
root="$TEST_SRCDIR/$TEST_WORKSPACE"
KAIDO_ATTACK_ROOT=$root exec /usr/bin/python3 -B "$root/tests/attack/attack.py" "$@"
