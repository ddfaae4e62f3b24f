#!/usr/bin/env bash
# Lays out libkaido in a temporary prefix, builds a small program against it as its users would, and runs each.
set -euo pipefail

root="$TEST_SRCDIR/$TEST_WORKSPACE"
prefix="$TEST_TMPDIR/prefix"
build="$TEST_TMPDIR/build"
mkdir -p "$build"
"$root/deploy/layout.sh" "$prefix" "$root" "$root" --sdk-only

cases=""
failed=0
# Runs a program and notes whether it gave the answer.
expect_answer() {
  local name=$1 outcome=""
  shift
  if [[ "$("$@")" != 42 ]]; then
    outcome='<failure message="it did not print 42"/>'
    failed=1
    echo "FAILED: $name"
  fi
  cases+="<testcase classname=\"install\" name=\"$name\">$outcome</testcase>"
}

export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
compile=(g++ -std=c++20 -Wall -Wextra -Werror "$root/tests/install/app.cc")

read -ra flags <<<"$(pkg-config --cflags --libs kaido)"
"${compile[@]}" -o "$build/shared" "${flags[@]}"
expect_answer "pkg_config_shared" env LD_LIBRARY_PATH="$prefix/lib" "$build/shared"

read -ra flags <<<"$(pkg-config --static --cflags --libs kaido | sed 's/-lkaido/-l:libkaido.a/')"
"${compile[@]}" -o "$build/static" "${flags[@]}"
expect_answer "pkg_config_static" "$build/static"

read -ra flags <<<"$(pkg-config --cflags --libs kaido)"
g++ -std=c++20 -Wall -Wextra -Werror "$root/tests/install/sockets.cc" -o "$build/sockets" "${flags[@]}"
expect_answer "asio_sockets_shared" env LD_LIBRARY_PATH="$prefix/lib" "$build/sockets"

# What g++ before 13 gets wrong: said once, silenced on request, and found by what is installed beside the library.
note() { "${compile[@]}" -fsyntax-only "$@" 2>&1 | grep -c "pragma message: Kaido" || true; }
affected=$(($(g++ -dumpversion | cut -d. -f1) < 13 ? 1 : 0))
read -ra flags <<<"$(pkg-config --cflags kaido)"
expect_answer "compiler_note" echo $((42 + affected - $(note "${flags[@]}")))
read -ra flags <<<"$(pkg-config --define-variable=compiler_note= --cflags kaido)"
expect_answer "compiler_note_silenced" echo $((42 + $(note "${flags[@]}")))
expect_answer "check_coroutines" bash -c "'$prefix/bin/kaido-check-coroutines' '$root/tests/install/app.cc' && echo 42"

mkdir "$build/sources"
cp -L "$root/tests/install/app.cc" "$root/tests/install/CMakeLists.txt" "$build/sources"
cmake -S "$build/sources" -B "$build/cmake" -DCMAKE_PREFIX_PATH="$prefix" >"$build/cmake.log" || { cat "$build/cmake.log"; exit 1; }
cmake --build "$build/cmake"
expect_answer "cmake_shared" "$build/cmake/app"
expect_answer "cmake_static" "$build/cmake/app_static"

# What the tutorial tells, done with what is installed: the examples, and its own CMakeLists.txt for the first of them.
documents="$prefix/share/doc/kaido"
mkdir "$build/tutorial"
cp "$documents/sdk/examples/hello.cc" "$build/tutorial"
sed -n '/^```cmake$/,/^```$/{/^```/!p}' "$documents/docs/sdk/tutorial.md" >"$build/tutorial/CMakeLists.txt"
cmake -S "$build/tutorial" -B "$build/tutorial/build" -DCMAKE_PREFIX_PATH="$prefix" -DKAIDO_SILENCE_COMPILER_WARNING=ON \
  >"$build/cmake.log" || { cat "$build/cmake.log"; exit 1; }
cmake --build "$build/tutorial/build"
expect_answer "tutorial" bash -c "KAIDO_LOCAL=always '$build/tutorial/build/hello' | sed 's/^Hello, Kaido!\$/42/'"

cmake -S "$documents/sdk/examples" -B "$build/examples" -DCMAKE_PREFIX_PATH="$prefix" -DKAIDO_SILENCE_COMPILER_WARNING=ON \
  >"$build/cmake.log" || { cat "$build/cmake.log"; exit 1; }
cmake --build "$build/examples" --target fib word_count
expect_answer "examples" bash -c "KAIDO_LOCAL=always '$build/examples/fib' | sed 's/^fib(12) = 144\$/42/'"

# Every page that the headers or the library name is there.
cited() {
  { grep -rhoE 'docs/[a-z0-9/-]+\.md' "$prefix/include" || true
    strings "$prefix/lib/libkaido.so" | grep -oE 'docs/[a-z0-9/-]+\.md' || true; } | sort -u
}
missing=$(cited | while read -r page; do [[ -f "$documents/$page" ]] || echo "$page"; done)
[[ -z "$missing" ]] || echo "named by the SDK and not installed: $missing"
expect_answer "cited_pages" echo $((42 + $(wc -w <<<"$missing")))

# An exception and its type cross the boundary, both ways, also to a program that hides its own symbols.
read -ra flags <<<"$(pkg-config --cflags --libs kaido)"
g++ -std=c++20 -fvisibility=hidden "$root/tests/install/exceptions.cc" -o "$build/exceptions" "${flags[@]}"
expect_answer "exceptions" env LD_LIBRARY_PATH="$prefix/lib" KAIDO_LOCAL=always "$build/exceptions"

[[ -z "${XML_OUTPUT_FILE:-}" ]] || echo "<testsuites><testsuite name=\"install\">$cases</testsuite></testsuites>" >"$XML_OUTPUT_FILE"
exit $failed
