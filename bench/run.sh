#!/bin/sh
# Runs the benchmarks that `./dev bench` has built, or the one named: bench/run.sh [NAME]
# TALEA_BENCH_DIR is where they write (build/): the device under it decides the figures.
set -eu
cd "$(dirname "$0")/.."

export TALEA_BENCH_DIR="${TALEA_BENCH_DIR:-$PWD/build}"
unset TALEA_DIR || true

ran=
for program in build/release/bench/bench_*; do
    name=${program##*/bench_}
    [ -x "$program" ] || continue
    [ -z "${1:-}" ] || [ "$1" = "$name" ] || continue
    echo "== $name"
    "$program"
    echo
    ran=yes
done
if [ -z "$ran" ]; then
    echo "bench: there is no benchmark ${1:-}" >&2
    exit 2
fi
