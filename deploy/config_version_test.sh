#!/usr/bin/env bash
# Which versions of the library CMake's find_package(Kaido VERSION) takes.
set -euo pipefail

template="$TEST_SRCDIR/$TEST_WORKSPACE/deploy/KaidoConfigVersion.cmake.in"
file="$TEST_TMPDIR/KaidoConfigVersion.cmake"
cat >"$TEST_TMPDIR/ask.cmake" <<'ASK'
string(REPLACE "." ";" parts "${PACKAGE_FIND_VERSION}")
list(APPEND parts 0 0)
list(GET parts 0 PACKAGE_FIND_VERSION_MAJOR)
list(GET parts 1 PACKAGE_FIND_VERSION_MINOR)
include(${FILE})
if(PACKAGE_VERSION_EXACT)
  message(exact)
elseif(PACKAGE_VERSION_COMPATIBLE)
  message(compatible)
else()
  message(refused)
endif()
ASK

failed=0
expect() {
  local installed=$1 asked_for=$2 expected=$3
  sed "s/@VERSION@/$installed/" "$template" >"$file"
  local answer
  answer=$(cmake -DPACKAGE_FIND_VERSION="$asked_for" -DFILE="$file" -P "$TEST_TMPDIR/ask.cmake" 2>&1)
  [[ "$answer" == "$expected" ]] && return
  echo "FAILED: $installed for who asks for $asked_for: $answer, not $expected"
  failed=1
}

expect 0.1.0 0.1.0 exact
expect 0.1.0 0.1 exact
expect 0.1.3 0.1 compatible
expect 0.1.3 0.1.2 compatible
expect 0.1.3 0.1.4 refused
expect 0.2.0 0.1 refused
expect 0.2.5 0.1.9 refused
expect 0.2.0 0.3 refused
expect 0.10.0 0.1 refused
expect 1.0.0 0.1 refused
exit $failed
