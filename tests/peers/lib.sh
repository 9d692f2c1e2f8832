# shellcheck shell=bash
# What the start scripts share. Sourced, not run.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PORT_TAKEN=75 # the exit code that says: try again with another PEERS_SHIFT

die() { echo "${PEER:-peers}: $*" >&2; exit 1; }
am_root() { [ "$(id -u)" = 0 ]; }
need() { local f; for f; do [ -e "$f" ] || die "missing $f: run $HERE/install"; done; }

# peer_init NAME PREFIX [DIR]: sets D (this peer's directory) and PEERS_DIR.
# A peer that already runs there is not started twice: its lines are printed again.
peer_init() {
  PEER=$1 PREFIX=$2
  PEERS_DIR=${3:-${PEERS_DIR:-}}
  if [ -z "$PEERS_DIR" ]; then
    PEERS_DIR=$(mktemp -d "${TMPDIR:-/tmp}/peers.XXXXXX")
    touch "$PEERS_DIR/.temporary"
    chmod 711 "$PEERS_DIR"
  fi
  # not "mkdir -p -m": its mode would not be that of the directories above
  [ -d "$PEERS_DIR" ] || { mkdir -p "$PEERS_DIR"; chmod 711 "$PEERS_DIR"; }
  PEERS_DIR=$(cd "$PEERS_DIR" && pwd)
  D=$PEERS_DIR/$PEER
  [ -d "$D" ] || mkdir -m 711 "$D"
  if running "$D/pids"; then cat "$D/env"; exit 0; fi
  if [ -s "$D/pids" ]; then "$HERE/stop" "$PEERS_DIR" "$PEER"; fi # what a killed one left
  : >"$D/pids"
  : >"$D/env"
  STARTED=$(date +%s%3N)
  trap peer_failed EXIT
  emit PEERS_DIR "$PEERS_DIR"
}

# shellcheck disable=SC2317 # called by the trap
peer_failed() {
  local rc=$?
  [ "$rc" != 0 ] || return 0
  if [ "$rc" != "$PORT_TAKEN" ]; then
    echo "$PEER: did not start (exit $rc); logs in $D, their ends:" >&2
    tail -n 15 "$D"/*.log >&2 2>/dev/null || true
  fi
  "$HERE/stop" "$PEERS_DIR" "$PEER" >&2 || true
}

peer_ready() {
  emit "${PREFIX}_START_MS" $(($(date +%s%3N) - STARTED))
  cat "$D/env"
}

# emit NAME VALUE: a line for the one who started us. No value has a space or a newline.
emit() {
  case $2 in *[!A-Za-z0-9_./:@%,+=-]*) die "$1 has a character a shell would read: $2" ;; esac
  printf '%s=%s\n' "$1" "$2" >>"$D/env"
}

# port VARIABLE DEFAULT: the port to use; PEERS_SHIFT moves every default, for a parallel set.
port() { local v=${!1:-}; echo "${v:-$(($2 + ${PEERS_SHIFT:-0}))}"; }

# ticks PID: when it started; empty if it is gone, or a zombie.
ticks() {
  local line fields
  read -r line 2>/dev/null <"/proc/$1/stat" || return 0
  read -ra fields <<<"${line##*) }"
  case ${fields[0]} in Z | X) ;; *) echo "${fields[19]}" ;; esac
}

# running PIDFILE: is a process of it alive (same pid and same start time)?
running() {
  local pid when _
  [ -s "$1" ] || return 1
  while read -r pid when _; do
    [ "$(ticks "$pid")" != "$when" ] || return 0
  done <"$1"
  return 1
}

# spawn LOG COMMAND...: in its own session, its pid recorded; sets SPAWNED.
spawn() {
  local log=$D/$1.log
  shift
  setsid "$@" >>"$log" 2>&1 </dev/null &
  SPAWNED=$!
  echo "$SPAWNED $(ticks "$SPAWNED")" >>"$D/pids"
}

# wait_for SECONDS COMMAND...: until it succeeds, while the last spawned process lives.
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    kill -0 "$SPAWNED" 2>/dev/null || die "process $SPAWNED ended early"
    [ "$SECONDS" -lt "$end" ] || die "no answer in time: $*"
    sleep 0.05
  done
}
tcp() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }
wait_tcp() { wait_for "${3:-30}" tcp "$1" "$2"; }

# free_port PORT...: on 127.0.0.1, or on IP of a peer that has an address of its own.
free_port() {
  local p
  for p; do
    if tcp "${IP:-127.0.0.1}" "$p"; then
      echo "$PEER: port $p of ${IP:-127.0.0.1} is taken: set PEERS_SHIFT" >&2
      exit "$PORT_TAKEN"
    fi
  done
}

# can_enter USER DIR: servers that drop root must be able to walk to their files.
can_enter() {
  ! am_root || runuser -u "$1" -- test -x "$2" || die "user $1 cannot enter $2: every directory above it needs o+x"
}

# line PEER NAME: what another peer of this PEERS_DIR has printed.
line() { sed -n "s/^$2=//p" "$PEERS_DIR/$1/env"; }

# in_samba DIR COMMAND...: sets IN_SAMBA to the words of a command that sees DIR at /run/samba,
# where the parts of Samba and its clients meet; that path was fixed when they were built.
in_samba() {
  mkdir -p /run/samba
  IN_SAMBA=(unshare --mount sh -c 'mount --bind "$0" /run/samba && exec "$@"' "$@")
}

# need_ad: samba-ad has to run in the same PEERS_DIR; sets AD, its directory.
need_ad() {
  AD=$PEERS_DIR/samba-ad
  running "$AD/pids" && [ -S "$AD/run/winbindd/pipe" ] || die "start samba-ad first, in $PEERS_DIR"
}

# make_ca: the throw-away CA of this PEERS_DIR, made once; sets CA.
make_ca() {
  CA=$PEERS_DIR/ca
  [ -d "$CA" ] || mkdir -m 711 "$CA" 2>/dev/null || [ -d "$CA" ] # another script may be first
  (
    flock 9
    [ ! -e "$CA/done" ] || exit 0
    "$HERE/mkca" "$CA" >"$CA/log" 2>&1 || { cat "$CA/log" >&2; die "the CA could not be made"; }
    touch "$CA/done"
  ) 9>"$CA/lock"
}

# make_files DIR NAME:SIZE...: NAME.bin of that many bytes each, and small ones; the same content
# on every machine, with SHA256SUMS.
make_files() {
  local dir=$1 spec
  shift
  [ ! -e "$dir/SHA256SUMS" ] || return 0
  mkdir -p "$dir/sub dir"
  for spec; do # head closes the pipe early
    { openssl enc -aes-128-ctr -K 00 -iv "${spec##*:}" -in /dev/zero 2>/dev/null || true; } |
      head -c "${spec##*:}" >"$dir/${spec%%:*}.bin"
  done
  : >"$dir/empty.bin"
  seq 1 200000 >"$dir/numbers.txt"
  echo "hello" >"$dir/hello.txt"
  echo "spaces and umlauts" >"$dir/sub dir/grüße.txt"
  (cd "$dir" && find . -type f -printf '%P\0' | sort -z | xargs -0 sha256sum) >"$dir.sums"
  mv "$dir.sums" "$dir/SHA256SUMS"
}
