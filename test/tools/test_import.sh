#!/bin/sh
# Imports a real journal (Debian ships one with beancount) as sql/import_journal.sql does, and compares
# every account and asset with what bean-query says of the same file: totals, and totals of each
# year. Then again with a small journal that has what the real one lacks.
set -u

source=${TALEA_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
: "${TALEA_SQL_DIR:=$source/sql}" "${TALEA_SO:=$source/build/release/talea.so}" "${TALEA_SQLITE3:=sqlite3}"
unset TALEA_DIR
for tool in bean-query python3; do
    command -v $tool >/dev/null || { echo "SKIPPED: no $tool (Debian: apt install beancount)"; exit 77; }
done

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
cd "$scratch" || exit 1

die() {
    echo "FAILED: $*"
    exit 1
}

sql() { "$TALEA_SQLITE3" -batch -bail -cmd ".load $TALEA_SO" money.db "$@"; }
import() { sql -cmd ".read $TALEA_SQL_DIR/import_journal.sql" "SELECT 1" >import.out 2>&1 || die "$(cat import.out)"; }

# Both sides as "account:asset|[year|]number": no blanks, no trailing zeros after the point, no -0.
tidy() { sed -E 's/ //g; s/(\.[0-9]*[1-9])0+$/\1/; s/\.0+$//; s/\|-0$/|0/' | LC_ALL=C sort; }

# bean-query prints what a program can read only as CSV, pads it, and rounds numbers unless they are
# made text first, which its version 2 spells Decimal('1.50').
bean() {
    bean-query -f csv "$journal" "$1" | sed -E "1d; s/ //g; s/\\r//; s/Decimal\\('(.*)'\\)/\\1/" |
        awk -F, -v OFS='|' '{ name = $1 ":" $2; $1 = ""; $2 = ""; sub(/^\|\|/, ""); print name, $0 }'
}

# Accounts of ours that beancount does not know hold what was converted: they are left out on both sides.
compare() {
    diff -u bean.txt talea.txt >diff.txt || { cat diff.txt; die "$1 differ (- bean-query, + talea)"; }
    echo "$journal: $(wc -l <bean.txt) $1 agree with bean-query"
    [ -s bean.txt ] || die "nothing was compared"
}

check() {
    rm -rf money.db money.db-talea
    python3 "$source/tools/journal_to_csv.py" "$journal" >journal.csv || die "journal_to_csv.py"
    import

    # Debits are positive to beancount, on every account. (No arithmetic in SQL: an amount that 64 bits
    # do not hold is text.)
    bean "SELECT account, currency, str(sum(number)) GROUP BY account, currency" | tidy >bean.txt
    sql "SELECT account, iif(kind NOT IN ('asset', 'expense'), '-', '') || display
         FROM balances WHERE book = 'journal' AND kind <> 'clearing'" | sed 's/|--/|/' | tidy >talea.txt
    compare balances

    # Days of the journal are kept as occurred_at. A posting of 0 is none to us, so a year of
    # nothing but those has no line here: it is left out there too.
    bean "SELECT account, currency, year, str(sum(number)) WHERE number != 0 GROUP BY account, currency, year" |
        tidy >bean.txt
    sql "SELECT account, substr(occurred_at, 1, 4) AS year,
                talea_decimal(talea_sum(coalesce(debit, '-' || credit)), precision)
         FROM postings JOIN assets USING (asset)
         WHERE book = 'journal' AND account NOT LIKE 'Conversions:%'
         GROUP BY account, year" | tidy >talea.txt
    compare "balances of single years"

    # The ledger's own books balance, in every asset; and nothing is wrong with its files.
    unbalanced=$(sql "SELECT * FROM trial_balance WHERE debits <> credits;
                      SELECT * FROM verify WHERE problem IS NOT NULL")
    [ -z "$unbalanced" ] || die "$unbalanced"
    assets=$(sql "SELECT count(*) FROM trial_balance WHERE book = 'journal'")
    known=$(sql "SELECT count(*) FROM assets")
    [ "$assets" = "$known" ] || die "trial_balance shows $assets of $known assets"
    echo "$journal: $assets assets balance"

    # Again: everything is found by its key, nothing is posted.
    before=$(sql "SELECT book, last_seq FROM books ORDER BY book")
    import
    ! grep -v '|deduplicated|' import.out | grep -vx 1 || die "the second import posted something"
    after=$(sql "SELECT book, last_seq FROM books ORDER BY book")
    [ "$before" = "$after" ] || die "the second import moved $before to $after"
}

# ---- The real one -----------------------------------------------------------------------------------

# A slim image leaves /usr/share/doc out; then the program that made the example makes another.
journal=/usr/share/doc/beancount/examples/example.beancount
[ -f "$journal" ] || { journal=example.beancount && bean-example --seed 7 -o "$journal" 2>/dev/null; }
[ -f "$journal" ] || { gunzip -c /usr/share/doc/beancount/examples/example.beancount.gz >"$journal"; }
[ -s "$journal" ] || die "no journal"
check

# ---- A small one ------------------------------------------------------------------------------------

# Equal transactions on one day, two assets in one account, 18 decimals, an amount that 64 bits of minor units
# do not hold, lines of nothing but 0, an amount left to beancount, a price without cost.
cat >small.beancount <<'EOF'
2020-01-01 open Assets:Wallet
2020-01-01 open Assets:Never
2020-01-01 open Expenses:Coffee
2020-01-01 open Equity:Start
2020-01-02 * "Start"
  Assets:Wallet        100.00 USD
  Assets:Wallet        123456.000000000000000001 ETH
  Equity:Start
2020-01-03 * "Kiosk" "Coffee, \"black\""
  Expenses:Coffee        2.50 USD
  Assets:Wallet
2020-01-03 * "Kiosk" "Coffee, \"black\""
  Expenses:Coffee        2.50 USD
  Assets:Wallet
2020-01-04 * "Nothing"
  Assets:Never           0.00 USD
  Equity:Start           0.00 USD
2021-01-05 * "Exchange"
  Assets:Wallet         -1.5 ETH @ 3000 USD
  Assets:Wallet
EOF
journal=small.beancount
check
[ "$(sql "SELECT count(*) FROM transfers WHERE debit = 'Expenses:Coffee:USD'")" = 2 ] ||
    die "equal transactions were taken for one"

# Growing: only what is new is posted.
cat >>small.beancount <<'EOF'
2020-01-03 * "Kiosk" "Coffee, \"black\""
  Expenses:Coffee        2.50 USD
  Assets:Wallet
EOF
python3 "$source/tools/journal_to_csv.py" "$journal" >journal.csv || die "journal_to_csv.py"
import
grep -qx 'transactions|committed|1' import.out || die "a grown journal: $(cat import.out)"
echo "everything agrees"
