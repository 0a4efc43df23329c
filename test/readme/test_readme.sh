#!/bin/sh
# The examples in README.md and docs/SQL.md are run as a reader would paste them: every ```sql block of a page, top to
# bottom, into `sqlite3 shop.db`. A line that begins with -- is what the shell has to answer at this place.
#
#   test_readme.sh [--bless] [FILE.md...]     --bless writes the answers into the pages; read the diff
#
# Transaction ids and commit times differ from run to run and are not compared; nor are blanks at line ends, and where
# in the input the shell saw an error.
# ctest: tsan
set -u

source=${TALEA_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
: "${TALEA_SO:=$source/build/release/talea.so}" "${TALEA_SQLITE3:=sqlite3}"
unset TALEA_DIR
[ -f "$TALEA_SO" ] || { echo "no $TALEA_SO"; exit 1; }
bless=
if [ "${1:-}" = --bless ]; then
    bless=1
    shift
fi
[ $# -gt 0 ] || set -- "$source/README.md" "$source/docs/SQL.md"

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

# The page as input for the shell: after each answer, and at the end, a line "@@" is printed.
input() {
    awk '/^```sql$/ { inside = 1; next }
         /^```/     { inside = 0; next }
         !inside    { next }
         /^--/      { answer = 1; next }
         answer     { print ".print @@"; answer = 0 }
                    { print }
         END        { print ".print @@" }' "$1"
}

# The answers that the page gives, in the same form.
answers() {
    awk '/^```sql$/ { inside = 1; next }
         /^```/     { inside = 0; next }
         !inside    { next }
         /^--/      { sub(/^-- ?/, ""); print; answer = 1; next }
         answer     { print "@@"; answer = 0 }
         END        { print "@@" }' "$1"
}

# The page with other answers, from a file in that form.
blessed() {
    awk -v answers="$2" '
         function answer() { while ((getline line < answers) > 0 && line != "@@") print line == "" ? "--" : "-- " line }
         /^```sql$/      { inside = 1 }
         /^```$/         { inside = 0 }
         inside && /^--/ { if (!skip) answer(); skip = 1; next }
                         { skip = 0; print }' "$1"
}

# "Runtime error near line 7: words" is "Runtime error: words" to a reader, whose shell is interactive.
plain() {
    sed -E -e 's/^(Runtime error|Parse error) near line [0-9]+: /\1: /' -e 's/ +$//'
}

hex='[0-9a-f]'
mask() {
    sed -E -e "s/$hex{8}-$hex{4}-7$hex{3}-$hex{4}-$hex{12}/<txid>/g" \
        -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}Z/<time>/g'
}

status=0
for page in "$@"; do
    rm -rf "$scratch/run"
    mkdir -p "$scratch/run/build"
    ln -s "$(dirname "$TALEA_SO")" "$scratch/run/build/release"
    input "$page" >"$scratch/input"
    # The shell buffers stdout and not stderr; on one stream everything comes in its order.
    (cd "$scratch/run" && exec "$TALEA_SQLITE3" -batch -cmd '.output stderr' shop.db) \
        <"$scratch/input" >"$scratch/out" 2>&1
    code=$?
    plain <"$scratch/out" >"$scratch/got"
    if [ "$code" -gt 1 ]; then
        echo "$page: the shell ended with status $code"
        cat "$scratch/out"
        status=1
    elif [ -n "$bless" ]; then
        blessed "$page" "$scratch/got" >"$scratch/page" && cat "$scratch/page" >"$page"
    else
        answers "$page" | plain | mask >"$scratch/want"
        if ! mask <"$scratch/got" | diff -u "$scratch/want" - >"$scratch/diff"; then
            cat "$scratch/diff"
            echo "$page: the shell answers otherwise than the page says"
            status=1
        else
            echo "$page: $(grep -c '^@@' "$scratch/want") answers agree"
        fi
    fi
done
[ -z "$bless" ] || exit $status

# ---- What the pages refer to is there ----------------------------------------------------------------------

cd "$source" || exit 1
for page in README.md docs/*.md; do
    # Links to files and to headings, and paths in the text that are written out.
    {
        grep -oE '\]\([^)]*\)' "$page" | sed 's/^](\(.*\))$/\1/' | grep -v '^https*:' | grep -v '^#' | while read -r link; do
            echo "$(dirname "$page")/${link%%#*}"
        done
        grep -oE '\b(core|ext|include|tools|sql|bench)(/[a-z0-9_]+)+\.(c|h|sh|sql|py)\b' "$page"
    } | sort -u | while read -r path; do
        [ -e "$path" ] || echo "$page: there is no $path"
    done >"$scratch/missing"
    grep -oE '\]\([^)]*#[^)]*\)' "$page" | sed 's/^](\(.*\))$/\1/' | while read -r link; do
        target=$page
        [ -z "${link%%#*}" ] || target=$(dirname "$page")/${link%%#*}
        # A heading's anchor: lower case, blanks as hyphens, nothing but letters, digits, hyphens, underscores.
        grep -E '^#+ ' "$target" | sed -E 's/^#+ //' | tr '[:upper:] ' '[:lower:]-' | tr -cd 'a-z0-9_\n-' |
            grep -qxF -- "${link#*#}" || echo "$page: there is no heading for $link"
    done >>"$scratch/missing"
    [ ! -s "$scratch/missing" ] || { cat "$scratch/missing" && status=1; }
done
exit $status
