#!/bin/sh
# The demo, as ./dev demo runs it, in a directory of its own. It checks itself; this looks at what it leaves behind.
set -u

source=${TALEA_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
: "${TALEA_SO:=$source/build/release/talea.so}" "${TALEA_SQLITE3:=sqlite3}"
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
export TALEA_SO TALEA_SQLITE3 TALEA_DEMO_DIR="$scratch/a demo"

for run in first second; do # the second starts afresh
    sh "$source/tools/demo.sh" >"$scratch/out" 2>&1 || {
        cat "$scratch/out"
        echo "FAILED: the $run run"
        exit 1
    }
done
left=$("$TALEA_SQLITE3" -batch -cmd ".load '${TALEA_SO%.*}'" "$TALEA_DEMO_DIR/shop.db" \
    "SELECT count(*) FROM books WHERE state <> 'failed'; SELECT count(*) FROM events WHERE idempotency_key = 'topup-1'")
[ "$left" = "3
1" ] || { echo "FAILED: books and first payments left behind: $left"; exit 1; }
echo "the demo runs, and runs again"
