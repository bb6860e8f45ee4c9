#!/usr/bin/env bash
# ./dev: its verbs, and what it does about missing packages, with a pretended package manager.
set -euo pipefail
cd "$(dirname "$0")/../.."
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

fail() { printf 'failed: %s\n' "$*"; exit 1; }

fake() { # NAME: reads the body of a program from standard input
    { echo '#!/bin/sh'; cat; } >"$temp/$1"
    chmod +x "$temp/$1"
}
fake dpkg-query <<'BODY'
for package; do :; done # the last argument
case " $MISSING " in *" $package "*) exit 1 ;; esac
printf installed
BODY
fake apt-get <<'BODY'
echo "$*" >>"$APT_LOG"
exit "$APT_STATUS"
BODY
fake clang-format-14 </dev/null
fake id <<'BODY'
echo "$FAKE_ID"
BODY
fake sudo <<'BODY'
echo "sudo" >>"$APT_LOG"
exec "$@"
BODY
export APT_LOG=$temp/apt.log APT_STATUS=0 MISSING='' FAKE_ID=0

run_format() { # sets out and status
    : >"$APT_LOG"
    status=0
    out=$(PATH="$temp:$PATH" ./dev format 2>&1) || status=$?
}

for verb in demo test check format bench fuzz; do
    ./dev help | grep -q "^  $verb " || fail "help does not list $verb"
done
./dev nonsense >"$temp/out" 2>&1 && fail 'an unknown verb succeeds'
grep -q "unknown verb 'nonsense'" "$temp/out" || fail 'an unknown verb is not named'

run_format
[ $status = 0 ] && [ ! -s "$APT_LOG" ] || fail "nothing is missing, yet apt-get was called: $out"

MISSING=clang-format-14
run_format
[ $status = 0 ] || fail "installing failed: $out"
grep -q 'installing clang-format-14$' <<<"$out" || fail "does not say what it installs: $out"
grep -q '^install -y --no-install-recommends clang-format-14$' "$APT_LOG" || fail "installs something else"
grep -q sudo "$APT_LOG" && fail 'root needs no sudo'

FAKE_ID=1000
run_format
grep -q '^sudo$' "$APT_LOG" || fail 'does not use sudo when not root'

FAKE_ID=0 APT_STATUS=100
run_format
[ $status != 0 ] || fail 'goes on without the package'
grep -q 'offline' <<<"$out" || fail "does not say what to do when offline: $out"
echo ok
