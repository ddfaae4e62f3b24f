#!/usr/bin/env bash
# What <kaido/kaido.h> costs whoever includes it is mostly what it includes in turn: the expensive headers that it does
# without stay out. Times on a shared machine are no test; README.md says how to measure them. And what a header declares
# must be visible outside of the shared library.
set -euo pipefail

included=$(echo "#include <kaido/kaido.h>" | g++ -std=c++20 -fsyntax-only -H -isystem sdk/include -x c++ - 2>&1) || {
  echo "$included"
  exit 1
}

failed=0
for header in algorithm future iomanip iostream random ranges regex sstream; do
  if grep -E "^\.+ .*/c\+\+/[0-9]+/$header\$" <<<"$included"; then
    echo "<kaido/kaido.h> includes <$header>, which costs every program: see tests/abi/README.md"
    failed=1
  fi
done
if grep -E "^\.+ .*/boost/" <<<"$included"; then
  echo "<kaido/kaido.h> includes Boost, which belongs in <kaido/asio.h> alone"
  failed=1
fi

# Every namespace of a public header: the inline one, made visible.
if ! find -L sdk/include -name '*.h' -print0 | xargs -0 awk '
  FNR == 1 { previous = "" }
  /^namespace kaido/ && (!/^namespace kaido::inline abi0[:a-z]* \{$/ || previous != "#pragma GCC visibility push(default)") {
    print FILENAME ":" FNR ": write `#pragma GCC visibility push(default)`, `namespace kaido::inline abi0... {`, and pop it after"
    wrong = 1
  }
  { previous = $0 }
  END { exit wrong }'; then
  failed=1
fi
exit $failed
