#!/usr/bin/env bash
# That counts are read and judged rightly, whatever they are.
set -euo pipefail
exec python3 tests/bench/counted/compare_test.py
