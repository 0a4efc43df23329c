#!/bin/sh
# Runs SQL tests: the real sqlite3 shell, the built module loaded, in an empty directory, with a
# database shop.db (so the ledger is shop.db-talea/). What it prints must be what NAME.expected says.
#
#   run.sh [--bless] FILE.sql...     --bless writes the .expected files instead; read the diff
#
# The expected file holds what went to stdout, then a line "-- errors --" and what went to stderr:
# the shell buffers one and not the other, so their true order is not to be had. Transaction ids and
# the directory's name differ from run to run and are masked as <txid> and <dir>; commit times have
# to be avoided or tested by a condition. `.load talea` works again after `.open`.
set -u

here=$(cd "$(dirname "$0")" && pwd)
: "${TALEA_SO:=$here/../../build/dev/talea.so}"
: "${TALEA_SQLITE3:=$here/shell}"
export TALEA_SO TALEA_SQLITE3
unset TALEA_DIR
bless=
if [ "${1:-}" = --bless ]; then
    bless=1
    shift
fi
[ $# -gt 0 ] || set -- "$here"/*.sql

# For `.load talea`, as a user would write it.
LD_LIBRARY_PATH=$(dirname "$TALEA_SO")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

mask() {
    hex='[0-9a-f]'
    sed -E -e "s/$hex{8}-$hex{4}-7$hex{3}-$hex{4}-$hex{12}/<txid>/g" \
        -e "s|$(cd "$scratch/run" && pwd -P)|<dir>|g" \
        "$@"
}

# "Runtime error near line 7: words (19)" and the older "Error: near line 7: words" become
# "line 7: words (19)"; the indented lines that quote the statement differ between versions, and go.
mask_errors() {
    mask -e 's/^(Runtime error|Parse error|Error:?) near line ([0-9]+): /line \2: /' -e '/^  /d'
}

status=0
for file in "$@"; do
    file=$(cd "$(dirname "$file")" && pwd)/$(basename "$file")
    rm -rf "$scratch/run"
    mkdir "$scratch/run"
    (cd "$scratch/run" && exec "$TALEA_SQLITE3" -batch -cmd '.load talea' shop.db) \
        <"$file" >"$scratch/out" 2>"$scratch/err"
    code=$?
    {
        mask <"$scratch/out"
        if [ -s "$scratch/err" ]; then
            echo "-- errors --"
            mask_errors <"$scratch/err"
        fi
    } >"$scratch/got"
    # The shell says 1 when a statement failed, which tests may want; anything else is a crash.
    if [ "$code" -gt 1 ]; then
        echo "$file: the shell ended with status $code"
        cat "$scratch/out" "$scratch/err"
        status=1
    elif [ -n "$bless" ]; then
        cp "$scratch/got" "${file%.sql}.expected"
    elif ! diff -u "${file%.sql}.expected" "$scratch/got"; then
        echo "$file: output differs from what is expected"
        status=1
    fi
done
exit $status
