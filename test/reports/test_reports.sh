#!/bin/sh
# sql/reports.sql, in four ways: a small firm's books whose figures were worked out by hand; a larger ledger against
# sums over a plain table; the two bases against each other and against the ledger's own running balances; and the
# plans. Then the examples in docs/REPORTS.md, and, where beancount is installed, its example journal.
#
#   test_reports.sh [--bless]     --bless writes the answers into docs/REPORTS.md; read the diff
set -u

source=${TALEA_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
: "${TALEA_SQL_DIR:=$source/sql}" "${TALEA_SO:=$source/build/release/talea.so}" "${TALEA_SQLITE3:=sqlite3}"
export TALEA_SQL_DIR TALEA_SO
unset TALEA_DIR
here=$source/test/reports
[ -f "$TALEA_SO" ] || { echo "no $TALEA_SO"; exit 1; }

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
cd "$scratch" || exit 1

die() {
    echo "FAILED: $*"
    exit 1
}

# A database, with the reports; SQL as arguments or on stdin.
reports() {
    database=$1
    shift
    "$TALEA_SQLITE3" -batch -cmd ".load '$TALEA_SO'" -cmd ".read '$TALEA_SQL_DIR/reports.sql'" "$database" "$@"
}

# ---- The page ----------------------------------------------------------------------------------------------

# Its session reads sql/reports.sql, as a reader would in the checkout.
cat >shell <<EOF
#!/bin/sh
ln -s "$TALEA_SQL_DIR" sql && exec "$TALEA_SQLITE3" "\$@"
EOF
chmod +x shell
TALEA_SOURCE_DIR=$source TALEA_SQLITE3=$scratch/shell sh "$source/test/readme/test_readme.sh" "$@" \
    "$source/docs/REPORTS.md" || die "docs/REPORTS.md"
[ "${1:-}" != --bless ] || exit 0

# ---- By hand -----------------------------------------------------------------------------------------------

"$TALEA_SQLITE3" -batch -bail -cmd ".load '$TALEA_SO'" firm.db <"$here/ledger.sql" || die "the ledger"
reports firm.db <"$here/reports.sql" >got 2>&1
diff -u "$here/reports.expected" got || die "figures differ from those worked out by hand"
echo "$(wc -l <got) lines agree with those worked out by hand"

# ---- Parameters --------------------------------------------------------------------------------------------

refused() {
    reports firm.db "UPDATE report SET $1" >got 2>&1 && die "not refused: $1"
    grep -qF "$2" got || die "$1: $(cat got)"
}
refused "book = 'mian'" "the ledger has no such book"
refused "first = '2025-02-29'" "first is a day"
refused "first = 'now'" "first is a day"
refused "last = '2025-1-1'" "last is a day"
refused "last = 20250101" "last is a day"
refused "last = '2025-01-31 14:02'" "last is a day"
refused "as_of = '2025-01-31T24:00:00.000000Z'" "as_of is a day"
refused "as_of = ''" "as_of is a day"
refused "first = '2025-02-01', last = '2025-01-31'" "first is not after last"
refused "basis = 'effectiv'" "basis IN"
refused "every = 'week'" "every IN"
reports firm.db "INSERT INTO report(book) VALUES ('main')" >got 2>&1 && die "a second row"
reports firm.db "DELETE FROM report" >got 2>&1 && die "no row"
[ "$(reports firm.db "SELECT book IS NULL FROM report")" = 1 ] || die "one of two books was chosen"

# ---- Plans -------------------------------------------------------------------------------------------------

# Whatever the basis, each table of the ledger is asked by book, an asset by its name; and a statement by account.
for report in statement trial_balance turnover activity income balance_sheet equation late; do
    reports firm.db "EXPLAIN QUERY PLAN SELECT * FROM report_$report" | grep 'VIRTUAL TABLE' >plan
    [ -s plan ] || die "report_$report: no plan"
    grep -vE 'INDEX [0-9]+:(book=|asset=)' plan && die "report_$report scans"
done
for accounts in "= 'bank'" "IN ('bank', 'vat')"; do
    reports firm.db "EXPLAIN QUERY PLAN SELECT * FROM report_statement WHERE account $accounts" |
        grep 'VIRTUAL TABLE' >plan
    grep -vE ':book= account(=| in)|SCAN e |asset=' plan && die "a statement of account $accounts reads other accounts"
    grep -q 'SCAN p .*:book= account' plan || die "no postings in the plan of a statement"
done
echo "plans go by book and account"

# ---- A larger ledger -----------------------------------------------------------------------------------------

# Book "dated" has transactions dated over two years in no order, "plain" the same without dates. A plain table of
# signed lines is the oracle.
"$TALEA_SQLITE3" -batch -bail -cmd ".load '$TALEA_SO'" big.db >/dev/null <<'EOF' || die "the larger ledger"
INSERT INTO assets(asset, class, precision) VALUES ('EUR', 'fiat', 2);
CREATE TABLE account(n INTEGER PRIMARY KEY, account, kind, side);
INSERT INTO account(account, kind, side)
SELECT kind || ':' || side, kind, side
FROM (SELECT column1 AS kind FROM (VALUES ('asset'), ('liability'), ('income'), ('expense'), ('equity'), ('clearing'))),
     (SELECT column1 AS side FROM (VALUES ('debit'), ('credit'), ('none')));
CREATE TABLE draft(n INTEGER PRIMARY KEY, debit, credit, amount, day);
INSERT INTO draft(debit, credit, amount, day)
WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 3000)
SELECT d.account, c.account, 1 + i.n * 7919 % 99991, date('2024-01-01', (i.n * 104729 % 731) || ' days')
FROM i JOIN account AS d ON d.n = 1 + i.n * 31 % 18 JOIN account AS c ON c.n = 1 + (i.n * 31 + 1 + i.n / 18 % 17) % 18;
CREATE TABLE line AS SELECT debit AS account, amount, day FROM draft UNION ALL SELECT credit, -amount, day FROM draft;
INSERT INTO accounts(book, account, asset, kind, normal_side) SELECT 'dated', account, 'EUR', kind, side FROM account;
INSERT INTO accounts(book, account, asset, kind, normal_side) SELECT 'plain', account, 'EUR', kind, side FROM account;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at)
SELECT 'dated', 't' || n, debit, credit, amount, day FROM draft ORDER BY n;
-- Four times of commit.
INSERT INTO transfers(book, idempotency_key, debit, credit, amount)
SELECT 'plain', 't' || n, debit, credit, amount FROM draft WHERE n <= 300;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount)
SELECT 'plain', 't' || n, debit, credit, amount FROM draft WHERE n BETWEEN 301 AND 1000;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount)
SELECT 'plain', 't' || n, debit, credit, amount FROM draft WHERE n BETWEEN 1001 AND 2000;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount)
SELECT 'plain', 't' || n, debit, credit, amount FROM draft WHERE n BETWEEN 2001 AND 3000;
EOF

# Against the plain table: amounts are small enough for plain SQL here.
for period in "2024-01-01 2024-12-31" "2024-02-29 2024-02-29" "2024-11-15 2025-03-02" "2025-12-31 2025-12-31" \
    "2026-01-01 2026-05-05"; do
    first=${period% *} last=${period#* }
    reports big.db >got 2>&1 <<EOF
UPDATE report SET book = 'dated', first = '$first', last = '$last';
CREATE TEMP TABLE want AS
SELECT account, side, kind,
       iif(side = 'credit', -1, 1) * coalesce(sum(amount) FILTER (WHERE day < '$first'), 0) AS opening,
       coalesce(sum(amount) FILTER (WHERE day >= '$first' AND amount > 0), 0) AS debits,
       coalesce(-sum(amount) FILTER (WHERE day >= '$first' AND amount < 0), 0) AS credits,
       iif(side = 'credit', -1, 1) * sum(amount) AS closing, sum(amount) AS net
FROM line JOIN account USING (account) WHERE day <= '$last' GROUP BY account;
CREATE TEMP TABLE have AS
SELECT account, talea_minor(opening, 2) AS opening, talea_minor(debits, 2) AS debits,
       talea_minor(credits, 2) AS credits, talea_minor(closing, 2) AS closing FROM report_turnover;
SELECT 'turnover', count(*) FROM (SELECT account, opening, debits, credits, closing FROM want EXCEPT SELECT * FROM have);
SELECT 'accounts', count(*) FROM want, (SELECT count(*) AS n FROM have) HAVING count(*) <> max(n);
SELECT 'statement', count(*) FROM (
    SELECT account, opening FROM want EXCEPT
    SELECT account, talea_minor(balance, 2) FROM report_statement WHERE line = 'opening balance');
SELECT 'statement', count(*) FROM (
    SELECT account, debits, credits, closing FROM want EXCEPT
    SELECT account, talea_minor(debit, 2), talea_minor(credit, 2), talea_minor(balance, 2)
    FROM report_statement WHERE line = 'closing balance');
SELECT 'lines', 0 WHERE (SELECT count(*) FROM report_statement WHERE line = 'posting') <>
                        (SELECT count(*) FROM line WHERE day BETWEEN '$first' AND '$last');
SELECT 'trial balance', count(*) FROM (
    SELECT account, net FROM want EXCEPT
    SELECT account, iif(debit IS NULL, -talea_minor(credit, 2), talea_minor(debit, 2)) FROM report_trial_balance);
SELECT 'equation', assets, liabilities, equity, retained, result, difference FROM report_equation
WHERE difference <> '0.00' OR talea_minor(assets, 2) <>
      (SELECT sum(net) FROM want WHERE kind = 'asset' OR kind = 'clearing' AND net > 0)
   OR talea_minor(result, 2) <> (SELECT sum(iif(side = 'credit', -1, 1) * (opening - closing)) FROM want
                                 WHERE kind IN ('income', 'expense'));
SELECT 'sheet', 0 WHERE 1 <> (SELECT count(DISTINCT amount) FROM report_balance_sheet
                              WHERE line IN ('total assets', 'total liabilities and equity'));
SELECT 'income', 0 WHERE (SELECT amount FROM report_income WHERE line = 'result') <> (SELECT result FROM report_equation);
-- Each month opens with what the month before closed with; the last one closes as the period does.
SELECT 'activity', count(*) FROM (
    SELECT opening, lag(closing) OVER (PARTITION BY account ORDER BY period) AS before FROM report_activity
) WHERE opening <> before;
SELECT 'activity', count(*) FROM (
    SELECT account, opening, debits, credits, closing FROM have WHERE debits <> 0 OR credits <> 0 EXCEPT
    SELECT account, first_value(talea_minor(opening, 2)) OVER w, sum(talea_minor(debits, 2)) OVER w,
           sum(talea_minor(credits, 2)) OVER w, last_value(talea_minor(closing, 2)) OVER w
    FROM report_activity
    WINDOW w AS (PARTITION BY account ORDER BY period ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING));
EOF
    grep -vE '^[a-z ]+\|0$' got && die "$period: figures differ from those of a plain table"
    [ "$(wc -l <got)" = 6 ] || die "$period: $(cat got)"
done
echo "5 periods agree with a plain table"

# Without dates of their own, transactions are effective when they are committed: both bases say the same. And the
# running balance of a statement by commit is that of the ledger.
for between in "1 300" "1 1000" "301 2000" "2001 3000"; do
    first=${between% *} last=${between#* }
    for report in statement trial_balance turnover activity income balance_sheet equation; do
        echo "CREATE TEMP TABLE effective_$report AS SELECT * FROM report_$report;"
    done >before
    for report in statement trial_balance turnover activity income balance_sheet equation; do
        echo "SELECT '$report', count(*) FROM (SELECT * FROM effective_$report EXCEPT SELECT * FROM report_$report);"
        echo "SELECT '$report', count(*) FROM (SELECT * FROM report_$report EXCEPT SELECT * FROM effective_$report);"
        echo "SELECT 'rows', 0 WHERE NOT EXISTS (SELECT 1 FROM effective_$report);"
    done >after
    reports big.db >got 2>&1 <<EOF
UPDATE report SET book = 'plain',
       first = (SELECT at FROM events WHERE book = 'plain' AND idempotency_key = 't$first'),
       last = (SELECT at FROM events WHERE book = 'plain' AND idempotency_key = 't$last');
.read before
UPDATE report SET basis = 'committed';
.read after
SELECT 'running', count(*) FROM (
    SELECT account, seq, talea_minor(balance, 2) FROM report_statement WHERE line = 'posting' EXCEPT
    SELECT account, seq, balance FROM postings WHERE book = 'plain');
SELECT 'closing', count(*) FROM (
    SELECT account, talea_minor(closing, 2) FROM report_turnover EXCEPT
    SELECT account, balance FROM balances WHERE book = 'plain' AND as_of = (SELECT last FROM report));
EOF
    grep -vE '^[a-z_]+\|0$' got && die "transactions $between: by effective date otherwise than by commit"
    [ "$(wc -l <got)" = 16 ] || die "transactions $between: $(cat got)"
done
echo "both bases agree where they must"

# ---- A real journal --------------------------------------------------------------------------------------------

if ! { command -v bean-query && command -v bean-example && command -v python3; } >/dev/null; then
    echo "no beancount: its journal is left out"
    exit 0
fi
bean-example --seed 7 -o example.beancount 2>/dev/null
python3 "$source/tools/journal_to_csv.py" example.beancount >journal.csv || die "journal_to_csv.py"
"$TALEA_SQLITE3" -batch -bail -cmd ".load '$TALEA_SO'" -cmd ".read '$TALEA_SQL_DIR/import_journal.sql'" money.db \
    "SELECT 1" >got 2>&1 || die "the import: $(cat got)"
year=$(bean-query -f csv example.beancount "SELECT min(year)" | tail -1 | tr -cd 0-9)
year=$((year + 1))
# Both as account:asset|number, without trailing zeros. Debits are positive to beancount.
tidy() { sed -E 's/ //g; s/(\.[0-9]*[1-9])0+$/\1/; s/\.0+$//' | grep -v '|-\{0,1\}0$' | LC_ALL=C sort; }
bean-query -f csv example.beancount "SELECT account, currency, str(sum(number)) WHERE year = $year AND account ~ '^(Income|Expenses):'
    GROUP BY account, currency" | sed -E "1d; s/ //g; s/\\r//; s/Decimal\\('(.*)'\\)/\\1/; s/,/:/; s/,/|/" |
    sed -E '/^Income/{s/\|-/|/;t;s/\|/|-/}' | tidy >want
reports money.db "UPDATE report SET first = '$year-01-01', last = '$year-12-31'" \
    "SELECT account, amount FROM report_income WHERE account IS NOT NULL" | tidy >got
diff -u want got || die "the income statement of $year (- bean-query, + talea)"
[ -s got ] || die "nothing was compared"
[ -z "$(reports money.db "SELECT * FROM report_equation WHERE trim(difference, '0.') <> ''")" ] || die "the journal's equation"
echo "the income statement of $year agrees with bean-query: $(wc -l <got) accounts"
