#!/bin/sh
# Random queries over the virtual tables, compared with plain SQLite tables: queries.py, a few seeds.
# TALEA_SOAK=1: many.
# ctest: soak
set -u

source=${TALEA_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
export TALEA_SO="${TALEA_SO:-$source/build/release/talea.so}"
unset TALEA_DIR
# Python keeps what it has allocated: leaks are looked for by other tests of the same module.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"

# A module built with a sanitizer needs its runtime in the process first.
run() { env ${TALEA_PRELOAD:+"LD_PRELOAD=$TALEA_PRELOAD"} "$@"; }

# Many a python3 was built without loadable extensions; the system's own usually has them.
python=
for candidate in python3 /usr/bin/python3; do
    run "$candidate" -c '
import sqlite3, sys
able = hasattr(sqlite3.Connection, "enable_load_extension") and sqlite3.sqlite_version_info >= (3, 38)
sys.exit(0 if able else 1)' >/dev/null 2>&1 && python=$candidate && break
done
[ -n "$python" ] || {
    echo "SKIPPED: no python3 here can load extensions into SQLite 3.38 or later${TALEA_PRELOAD:+ under $TALEA_PRELOAD}"
    exit 77
}

seeds="1 2 3 4" queries=600 events=300
[ -z "${TALEA_SOAK:-}" ] || seeds=$(seq 100 400) queries=3000 events=2000
for seed in $seeds; do
    run "$python" "$source/test/model/queries.py" "$seed" $queries $events || {
        echo "FAILED: TALEA_SO=$TALEA_SO $python $source/test/model/queries.py $seed $queries $events"
        exit 1
    }
done
