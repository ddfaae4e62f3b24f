#!/usr/bin/env bash
# Runs an example without a node and looks for a line of its output: run_test.sh PROGRAM EXPECTED
set -euo pipefail

output=$(KAIDO_LOCAL=always "$1")
echo "$output"
grep -qxF "$2" <<<"$output"
