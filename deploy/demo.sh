#!/usr/bin/env bash
# A Kaido cluster on this machine that counts the words of real files, spread over its nodes.
#
#   deploy/demo.sh [--files DIR] [--nodes N] [--kill-one] [--keep]
#
#   --files DIR   what to count (default: /usr/share/common-licenses)
#   --nodes N     how many daemons, each with one worker app (default: 3)
#   --kill-one    kills the last daemon (-9) when half of the work is done; the totals are right all the same
#   --keep        leaves the cluster running until Ctrl-C, to look further with kaidoctl
#
# Everything it starts ends with it, and everything it writes is in one temporary folder that is removed.
set -euo pipefail

readonly kNodesMax=9
readonly kReadySeconds=30
# Few, so that one node alone is busy and the others help.
readonly kSlots=2

usage() {
  sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
}

fail() {
  echo "demo.sh: $*" >&2
  exit 1
}

files=/usr/share/common-licenses
nodes=3
kill_one=0
keep=0
binaries="" # A folder laid out as Bazel's output, for the test: nothing is installed or built then.
while (($#)); do
  case "$1" in
    --files | --nodes | --binaries)
      (($# >= 2)) || fail "$1 needs a value"
      declare "${1#--}=$2"
      shift 2
      ;;
    --kill-one) kill_one=1 && shift ;;
    --keep) keep=1 && shift ;;
    -h | --help) usage && exit 0 ;;
    *) fail "unknown argument '$1'; see --help" ;;
  esac
done
[[ "$nodes" =~ ^[1-9]$ ]] || fail "--nodes is a number from 1 to $kNodesMax, not '$nodes'"
((kill_one == 0 || nodes > 1)) || fail "--kill-one needs at least two nodes"
files=$(realpath -e "$files") || fail "no such folder"

cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ -z "$binaries" ]]; then
  deploy/install-deps.sh
  bazel=${BAZEL:-bazel}
  echo "Building (the first time takes some minutes) ..."
  "$bazel" build --config=release --curses=no --show_progress_rate_limit=30 \
    //daemon:kaidod //daemon/kaidoctl //sdk/examples:word_count
  binaries=$("$bazel" info --config=release bazel-bin 2>/dev/null)
fi
kaidod="$binaries/daemon/kaidod"
kaidoctl="$binaries/daemon/kaidoctl/kaidoctl"
word_count="$binaries/sdk/examples/word_count"

state=$(mktemp -d "${TMPDIR:-/tmp}/kaido-demo-XXXXXX")
children=()

# Apps first, so that none complains about a daemon that is gone; -9 for whoever does not listen.
clean_up() {
  local index
  trap '' INT TERM
  for ((index = ${#children[@]} - 1; index >= 0; index--)); do
    kill "${children[index]}" 2>/dev/null || true
  done
  for ((index = 0; index < 30; index++)); do
    ((${#children[@]})) && kill -0 "${children[@]}" 2>/dev/null || break
    sleep 0.1
  done
  for index in "${!children[@]}"; do
    kill -9 "${children[index]}" 2>/dev/null || true
  done
  wait 2>/dev/null || true
  rm -rf "$state"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# start NAME COMMAND...: in the background, its output in a file of that name.
start() {
  local name=$1
  shift
  "$@" >"$state/$name.log" 2>&1 &
  children+=($!)
  disown # The shell shall not report its end.
}

# wait_until WHAT COMMAND...: until the command succeeds.
wait_until() {
  local what=$1 deadline=$((SECONDS + kReadySeconds))
  shift
  until "$@"; do
    if ((SECONDS >= deadline)); then
      tail -n 20 "$state"/*.log >&2
      fail "$what did not happen within $kReadySeconds s"
    fi
    sleep 0.05
  done
}

# Each node knows those before it; whoever is reached answers back.
configure() {
  local index=$1 other
  cat <<YAML
node:
  name: node-$((index + 1))
  state_dir: $state/node-$((index + 1))
  slots: $kSlots
listen:
  app_socket: $state/app-$((index + 1)).sock
  admin_socket: $state/admin-$((index + 1)).sock
  peer: unix:$state/peer-$((index + 1)).sock
log:
  level: info
  format: text
YAML
  ((index == 0)) && return
  echo "peers:"
  for ((other = 0; other < index; other++)); do echo "  - unix:$state/peer-$((other + 1)).sock"; done
}

offered_everywhere() {
  local offering
  offering=$("$kaidoctl" --socket "$state/admin-1.sock" functions -o json 2>/dev/null | grep -o '"node-[0-9]*"' | sort -u | wc -l)
  ((offering == nodes))
}

echo "Starting $nodes daemons with a worker app each ..."
daemons=()
for ((node = 1; node <= nodes; node++)); do
  configure $((node - 1)) >"$state/node-$node.yaml"
  start "kaidod-$node" "$kaidod" --config "$state/node-$node.yaml"
  daemons+=("${children[-1]}")
  wait_until "node-$node listening" test -S "$state/app-$node.sock"
done
for ((node = 1; node <= nodes; node++)); do
  start "worker-$node" env KAIDO_SOCKET="$state/app-$node.sock" "$word_count" serve
done
wait_until "hearing of a worker on every node" offered_everywhere

at_half=()
if ((kill_one)); then
  echo "node-$nodes will be killed when half of the work is done."
  at_half=(--at-half "kill -9 ${daemons[-1]}")
fi
echo "Counting the words in $files ..."
echo
KAIDO_SOCKET="$state/app-1.sock" "$word_count" count "${at_half[@]}" "$files"
echo

if ((!keep)); then
  echo "To look around while it runs: deploy/demo.sh --keep"
  exit 0
fi
echo "The cluster is still running. In another terminal:"
echo
echo "  export KAIDO_ADMIN_SOCKET=$state/admin-1.sock"
for command in status nodes functions tasks ping; do echo "  $kaidoctl $command"; done
echo "  KAIDO_SOCKET=$state/app-1.sock $word_count count $files"
echo "  ls $state   # configurations and logs"
echo
echo "Ctrl-C ends it and removes everything."
sleep infinity &
children+=($!)
wait "$!" || true
