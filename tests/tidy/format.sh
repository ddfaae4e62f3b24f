#!/usr/bin/env bash
# Whether every C++ file that git knows is formatted as .clang-format says, by the one clang-format that decides (versions
# differ).
#
#   tests/tidy/format.sh            names the files that are not, and the first place in each
#   tests/tidy/format.sh --fix      formats them
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

formatter=${CLANG_FORMAT:-clang-format-19}
if ! command -v "$formatter" >/dev/null; then
  echo "format.sh: there is no $formatter; deploy/install-deps.sh --checks installs it" >&2
  exit 2
fi

mapfile -d '' -t files < <(git ls-files -z --cached --others --exclude-standard -- '*.cc' '*.h')
if ((${#files[@]} == 0)); then
  echo "format.sh: git names no C++ file here; is this a checkout?" >&2
  exit 2
fi

case "${1:-}" in
  --fix) exec "$formatter" -i "${files[@]}" ;;
  "") ;;
  *)
    echo "format.sh: unknown argument '$1' (known: --fix)" >&2
    exit 2
    ;;
esac

complaints=$(printf '%s\0' "${files[@]}" |
  xargs -0 -n 32 -P "$(nproc)" "$formatter" --dry-run --Werror --ferror-limit=1 --fno-color-diagnostics 2>&1)
status=$?
if ((status != 0)); then
  printf '%s\n' "$complaints"
  echo "FAILED: not formatted by $formatter; to mend it: tests/tidy/format.sh --fix"
  exit 1
fi
echo "format.sh: ${#files[@]} files are formatted"
