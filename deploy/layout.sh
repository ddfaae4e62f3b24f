#!/usr/bin/env bash
# Lays out an installation from what is already built: deploy/layout.sh PREFIX SOURCES BUILT [--sdk-only]
# SOURCES is the root of the sources, BUILT that of Bazel's output; a test's run files are both.
set -euo pipefail

readonly kSoVersion=0

prefix=$1
sources=$2
built=$3
parts=${4:-all}
version=$(sed -n 's/.*kVersion\[\] = "\(.*\)";/\1/p' "$sources/proto/base/version.h")

mkdir -p "$prefix/lib/pkgconfig" "$prefix/lib/cmake/Kaido" "$prefix/include"

fill_in() {
  sed -e "s|@PREFIX@|$prefix|g" -e "s|@VERSION@|$version|g" -e "s|@SOVERSION@|$kSoVersion|g" \
    -e "s|@LINK_FLAGS@|$(<"$built/deploy/libkaido.link_flags")|g" \
    -e "s|@COMPILE_FLAGS@|$(<"$built/deploy/libkaido.compile_flags")|g" "$1"
}

(cd "$sources/sdk/include" && find -L kaido -name '*.h' -printf '%P\n') | while read -r header; do
  install -D -m 644 "$sources/sdk/include/kaido/$header" "$prefix/include/kaido/$header"
done
install -m 644 "$built/deploy/libkaido.a" "$prefix/lib/"
install -m 755 "$built/deploy/libkaido.so.$kSoVersion" "$prefix/lib/"
ln -sf "libkaido.so.$kSoVersion" "$prefix/lib/libkaido.so"
fill_in "$sources/deploy/kaido.pc.in" >"$prefix/lib/pkgconfig/kaido.pc"
fill_in "$sources/deploy/KaidoConfig.cmake.in" >"$prefix/lib/cmake/Kaido/KaidoConfig.cmake"
fill_in "$sources/deploy/KaidoConfigVersion.cmake.in" >"$prefix/lib/cmake/Kaido/KaidoConfigVersion.cmake"

install -D -m 755 "$sources/deploy/check-coroutines" "$prefix/bin/kaido-check-coroutines"

# Pages and examples lie to each other as in the sources: they link to each other, and error messages name them
# (docs/sdk/compilers.md), by these paths.
(cd "$sources" && find -L docs sdk/examples -type f ! -name '*_test.*' \
  \( -name '*.md' -o -name '*.cc' -o -name '*.h' -o -name CMakeLists.txt \)) | while read -r page; do
  install -D -m 644 "$sources/$page" "$prefix/share/doc/kaido/$page"
done

[[ "$parts" == --sdk-only ]] && exit 0

install -D -m 755 "$built/daemon/kaidod" "$prefix/bin/kaidod"
install -D -m 755 "$built/daemon/kaidoctl/kaidoctl" "$prefix/bin/kaidoctl"
for example in "$sources"/config/*.yaml; do
  install -D -m 644 "$example" "$prefix/share/doc/kaido/examples/$(basename "$example")"
done
mkdir -p "$prefix/lib/systemd/system" "$prefix/lib/sysusers.d"
sed "s|/usr/bin/|$prefix/bin/|g" "$sources/deploy/systemd/kaidod.service" >"$prefix/lib/systemd/system/kaidod.service"
install -m 644 "$sources/deploy/systemd/kaidod.sysusers.conf" "$prefix/lib/sysusers.d/kaidod.conf"
