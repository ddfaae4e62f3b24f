#!/usr/bin/env bash
# word_count without a node, beside wc and sort: word_count_test.sh PROGRAM
set -euo pipefail
export LC_ALL=C KAIDO_LOCAL=always

folder=$(mktemp -d "${TEST_TMPDIR:-/tmp}/words-XXXXXX")
mkdir "$folder/inner"
seq 1 5000 | tr '\n' ' ' >"$folder/numbers"
printf 'a\tb\vc\fd\r\ne  a\n\n a' >"$folder/inner/spaces"
: >"$folder/inner/empty"
# A word longer than a piece.
head -c 20000 /dev/zero | tr '\0' 'x' >"$folder/long"
for _ in 1 2 3; do cat "$0"; done >"$folder/text"

# One file at a time: a file ends a word.
words() { find "$folder" -type f -exec sh -c 'for f; do tr -s "[:space:]" "\n" <"$f"; echo; done' sh {} + | sed '/^$/d'; }

json=$("$1" count --json "$folder")
echo "$json"
python3 - "$json" "$(words | wc -l)" "$(find "$folder" -type f -exec wc -w {} \; | awk '{ n += $1 } END { print n }')" \
  "$(words | sort | uniq -c | sort -k1,1nr -k2,2 | head -n 10)" <<'PYTHON'
import json, sys
report = json.loads(sys.argv[1])
assert report["total"] == int(sys.argv[2]) == int(sys.argv[3]), (report["total"], sys.argv[2:4])
expected = [line.split() for line in sys.argv[4].splitlines()]
assert [[str(w["count"]), w["word"]] for w in report["top"]] == expected, (report["top"], expected)
assert [n["node"] for n in report["nodes"]] == ["local"] and report["nodes"][0]["tasks"] == report["calls"] > 4
PYTHON

"$1" count "$folder" | grep -q "^local "
if "$1" count 2>/dev/null; then
  echo "no folder was given, and that was no error"
  exit 1
fi
