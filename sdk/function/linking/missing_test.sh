#!/bin/bash
# A program that requires a function which no library has is not linked, and the linker names the function.
#   missing_test.sh OBJECT_OR_ARCHIVE
set -u

output=$(c++ -shared -nostdlib -Wl,-z,defs -o "$TEST_TMPDIR/out.so" -Wl,--whole-archive "$1" 2>&1)
if [ $? -eq 0 ]; then
  echo "it was linked"
  exit 1
fi
if ! grep -q 'kaido_is_registered(kaido::.*detail::FunctionKey<.*linking::nowhere' <<< "$output"; then
  echo "the linker does not name the function:"
  echo "$output"
  exit 1
fi
