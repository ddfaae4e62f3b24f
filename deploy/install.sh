#!/usr/bin/env bash
# Builds Kaido for release and installs it: deploy/install.sh PREFIX
#
# PREFIX/bin                    kaidod, kaidoctl
# PREFIX/include/kaido          the SDK's headers
# PREFIX/lib                    libkaido.a, libkaido.so, pkgconfig/kaido.pc, cmake/Kaido, the systemd unit
# PREFIX/share/doc/kaido        docs, sdk/examples: the pages and programs; examples: configurations
set -euo pipefail

if (($# != 1)) || [[ "$1" == -* ]]; then
  sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
mkdir -p "$1"
prefix=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."

deploy/install-deps.sh
bazel=${BAZEL:-bazel}
"$bazel" build --config=release --curses=no //deploy:libkaido //daemon:kaidod //daemon/kaidoctl
deploy/layout.sh "$prefix" . "$("$bazel" info --config=release bazel-bin 2>/dev/null)"

echo "Installed in $prefix. Next:"
echo "  $prefix/bin/kaidod --check --config $prefix/share/doc/kaido/examples/<one of them>"
echo "  clang++-19 -std=c++20 app.cc \$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --cflags --libs kaido)  # or g++ 13 and later: see share/doc/kaido/docs/sdk/compilers.md"
