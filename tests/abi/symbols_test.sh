#!/usr/bin/env bash
# What leaves libkaido.so, beside symbols.txt. With --renew, under `bazel run`, writes the list.
set -euo pipefail

if [[ "${1:-}" == --renew ]]; then
  list="$BUILD_WORKSPACE_DIRECTORY/tests/abi/symbols.txt"
else
  list=tests/abi/symbols.txt
fi
exec python3 tests/abi/symbols.py deploy/libkaido.so.0 "$list" "$@"
