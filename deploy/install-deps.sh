#!/usr/bin/env bash
# Installs the Debian 12 packages Kaido needs; says nothing and does nothing where they are all there.
#
#   deploy/install-deps.sh            what building and testing needs
#   deploy/install-deps.sh --checks   also what the continuous checks (.ci/run) need: clang 19, its sanitizers and tools, network tools
set -euo pipefail

readonly kAttempts=4

build_packages=(
  # The build itself. .bazelversion says 4, which Debian's wrapper takes for /usr/bin/bazel-4.
  bazel-bootstrap bazel-rules-java g++ git make cmake pkg-config python3
  # Libraries.
  libboost1.81-dev libprotobuf-dev protobuf-compiler libgrpc++-dev protobuf-compiler-grpc libssl-dev libyaml-cpp-dev
  libspdlog-dev libfmt-dev prometheus-cpp-dev libcli11-dev libc-ares-dev libsystemd-dev
  # Tests: schemas written as .proto text, the client in another language (tests/python), counted instructions (tests/bench).
  libgtest-dev libgmock-dev libprotoc-dev python3-protobuf valgrind
)
# clang 19, its sanitizers and libFuzzer, its linker, and llvm-symbolizer, which turns their addresses into lines.
check_packages=(clang-19 libclang-rt-19-dev lld-19 llvm-19 clang-format-19 clang-tidy-19 iproute2)

wanted=("${build_packages[@]}")
for argument in "$@"; do
  case "$argument" in
    --checks) wanted+=("${check_packages[@]}") ;;
    -h | --help)
      sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *)
      echo "install-deps.sh: unknown argument '$argument' (known: --checks)" >&2
      exit 2
      ;;
  esac
done

missing=()
for package in "${wanted[@]}"; do
  [[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null)" == installed ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "install-deps.sh: run me as root, or install sudo; missing: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
    -o Acquire::Retries=3 -o Acquire::http::Timeout=30 -o DPkg::Lock::Timeout=300 "$@"
}

echo "install-deps.sh: installing ${missing[*]}"
for ((attempt = 1; ; attempt++)); do
  if apt update && apt install --no-install-recommends "${missing[@]}"; then
    exit 0
  fi
  if ((attempt == kAttempts)); then
    echo "install-deps.sh: gave up after $kAttempts attempts; is the package archive of Debian 12 reachable?" >&2
    exit 1
  fi
  echo "install-deps.sh: attempt $attempt failed; trying again in $((attempt * 5)) s" >&2
  sleep $((attempt * 5))
done
