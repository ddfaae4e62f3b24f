#!/usr/bin/env bash
# Compiles each file of compile_fail/: one that begins with "// refuses: TEXT" must be refused with that text in the
# compiler's message, one that begins with "// compiles" must compile. The header is precompiled once. A line "// with:
# COMPILER FLAGS..." names what alone can see the mistake; without that compiler the file is skipped.
set -uo pipefail

compiler="${CXX:-g++}"
flags=(-std=c++20 -fsyntax-only)
folder="$(dirname "${BASH_SOURCE[0]}")"
headers="$folder/../include"
scratch="${TEST_TMPDIR:-$(mktemp -d)}"

if ! command -v "$compiler" >/dev/null; then
  echo "compile_fail_test: no compiler '$compiler'" >&2
  exit 1
fi
mkdir -p "$scratch/kaido"
echo '#include_next <kaido/function.h>' >"$scratch/kaido/function.h"
"$compiler" -std=c++20 -w -I "$scratch" -I "$headers" -x c++-header "$scratch/kaido/function.h" \
  -o "$scratch/kaido/function.h.gch" || exit 1

passed=0
skipped=0
failed=0
fault() {
  echo "FAILED $1: $2"
  sed -n '1,25p' "$scratch/message"
  failed=$((failed + 1))
}

check() {
  local file="$1" text command=("$compiler" -I "$scratch")
  if grep -q '^// with: ' "$file"; then
    read -ra command <<<"$(sed -n 's|^// with: ||p' "$file")"
    if ! command -v "${command[0]}" >/dev/null; then
      echo "skipped $file: no ${command[0]}"
      skipped=$((skipped + 1))
      return
    fi
  fi
  "${command[@]}" "${flags[@]}" -I "$headers" "$file" >"$scratch/message" 2>&1
  local status=$?
  if head -1 "$file" | grep -q '^// compiles$'; then
    ((status == 0)) || { fault "$file" "it must compile"; return; }
  else
    ((status != 0)) || { fault "$file" "it must not compile"; return; }
    grep -q '^// refuses: ' "$file" || { fault "$file" "it says no '// refuses: '"; return; }
    while read -r text; do
      tr -d '\n' <"$scratch/message" | grep -qF -- "$text" || { fault "$file" "the message lacks '$text'"; return; }
    done < <(sed -n 's|^// refuses: ||p' "$file")
  fi
  passed=$((passed + 1))
}

for file in "$folder"/compile_fail/*.cc; do check "$file"; done
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0 && passed > 0))
