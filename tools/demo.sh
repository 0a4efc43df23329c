#!/bin/sh
# What talea does, told as the first day of a small shop: real statements in the real sqlite3 shell, and
# what it answers. Leaves demo/shop.db behind to play with; run again, it starts afresh.
#
# Called by `./dev demo`. It checks itself: where something was to be refused and was not, or something is
# missing that had been acknowledged, it ends with a failure. TALEA_DEMO_DIR puts it elsewhere.
set -eu

cd "$(dirname "$0")/.."
root=$PWD
: "${TALEA_SO:=$root/build/release/talea.so}" "${TALEA_SQLITE3:=sqlite3}" "${TALEA_DEMO_DIR:=demo}"
unset TALEA_DIR
demo=$TALEA_DEMO_DIR
db=$demo/shop.db
module=${TALEA_SO%.*} # SQLite knows how the file's name ends
shown=$module
case $module in "$root"/*) shown=${module#"$root"/} ;; esac

bold='' dim='' off=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$(printf '\033[1m') dim=$(printf '\033[2m') off=$(printf '\033[0m')
fi

die() {
    printf '\ndemo: %s\n' "$*" >&2
    exit 1
}

# ---- Telling ------------------------------------------------------------------------------------------

step=0
# chapter TITLE, then the words on stdin
chapter() {
    step=$((step + 1))
    printf '\n%s%d. %s%s\n' "$bold" "$step" "$1" "$off"
    words
}

words() {
    echo
    fold -s -w 88 | sed 's/ *$//'
    echo
}

shell() { "$TALEA_SQLITE3" -batch -bail -cmd ".load '$module'" -cmd '.mode box' "$db"; }
quiet() { "$TALEA_SQLITE3" -batch -bail -cmd ".load '$module'" "$db" "$1"; }

show() { sed "s/^/$dim  sql>$off /" "$demo/statement.sql"; }

# Statements on stdin: shows them, runs them, shows what they print.
run() {
    cat >"$demo/statement.sql"
    show
    shell <"$demo/statement.sql" >"$demo/output" 2>&1 || { cat "$demo/output"; die "this was to succeed"; }
    sed 's/^/  /' "$demo/output"
}

# refused CODE: likewise, and fails unless they fail with that code.
refused() {
    cat >"$demo/statement.sql"
    show
    ! shell <"$demo/statement.sql" >"$demo/output" 2>&1 || { cat "$demo/output"; die "this was to be refused"; }
    grep -q "talea: $1: " "$demo/output" || { cat "$demo/output"; die "this was to be refused as $1"; }
    # The shell quotes the statement again, which is above.
    grep 'talea: ' "$demo/output" | sed -E 's/ near line [0-9]+:/:/' | fold -s -w 84 |
        sed -e 's/ *$//' -e 's/^/  /' -e '2,$s/^/    /'
}

# expect WHAT QUERY ANSWER
expect() {
    answer=$(quiet "$2")
    [ "$answer" = "$3" ] || die "$1: expected $3, found $answer"
}

rm -rf "$demo"
mkdir "$demo"
trap 'rm -f "$demo/statement.sql" "$demo/output" "$demo/acknowledged"' EXIT

cat <<EOF
${bold}talea: a durable double-entry ledger inside SQLite$off

Every statement below runs in the sqlite3 shell, with the extension loaded:

$dim  \$$off sqlite3 $db
$dim  sql>$off .load $shown
EOF

# ---- 1 ------------------------------------------------------------------------------------------------

chapter "What the ledger counts" <<'EOF'
A small shop sells coffee, takes cash, and keeps prepaid wallets for its customers. First it says what it counts: euros with two decimals, and loyalty points, which come in whole ones. Amounts are always integers in the smallest unit: 1250 is 12.50 euros.
EOF
run <<'EOF'
INSERT INTO assets(asset, class, precision, name) VALUES
  ('EUR',   'fiat', 2, 'Euro'),
  ('POINT', 'fiat', 0, 'Loyalty point');
EOF

chapter "Accounts" <<'EOF'
Then it opens accounts, in a book of its own. The money in a wallet belongs to the customer, so to the shop it is a liability. min_balance 0 says that a wallet can never be overdrawn.
EOF
run <<'EOF'
INSERT INTO accounts(book, account, asset, kind, min_balance) VALUES
  ('shop', 'till',          'EUR',   'asset',     0),
  ('shop', 'bank',          'EUR',   'asset',     NULL),
  ('shop', 'sales',         'EUR',   'income',    NULL),
  ('shop', 'vat',           'EUR',   'liability', NULL),
  ('shop', 'wallet:ana',    'EUR',   'liability', 0),
  ('shop', 'wallet:ben',    'EUR',   'liability', 0),
  ('shop', 'points:issued', 'POINT', 'equity',    NULL),
  ('shop', 'points:ana',    'POINT', 'asset',     0);
EOF

chapter "Post a transfer" <<'EOF'
Ana pays 50 euros into her wallet, in cash. Every draft carries a key that the caller chooses: the same key is never posted twice. When the INSERT returns, the money is on the disk, not on its way to it.
EOF
run <<'EOF'
INSERT INTO transfers(book, idempotency_key, debit, credit, amount)
  VALUES ('shop', 'topup-1', 'till', 'wallet:ana', 5000);
SELECT account, kind, balance, display FROM balances WHERE balance <> 0;
EOF

chapter "Post journal lines" <<'EOF'
She buys beans for 12.10, of which 2.10 are tax. One event with three lines: rows with the same key form one draft, and it has to balance when the SQL transaction commits.
EOF
run <<'EOF'
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES
  ('shop', 'sale-1', 'wallet:ana', 1210, NULL),
  ('shop', 'sale-1', 'sales',      NULL, 1000),
  ('shop', 'sale-1', 'vat',        NULL,  210);
SELECT seq, idx, account, debit, credit, balance FROM postings WHERE idempotency_key = 'sale-1';
EOF
words <<'EOF'
When the lines do not balance, nothing is written.
EOF
refused unbalanced <<'EOF'
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES
  ('shop', 'sale-2', 'wallet:ana', 1210, NULL),
  ('shop', 'sale-2', 'sales',      NULL, 1000);
EOF

chapter "Post JSON" <<'EOF'
The same thing as one row, for programs that have JSON at hand: with metadata, and with two assets in one event. Ana pays 3.00 and gets 3 points.
EOF
run <<'EOF'
INSERT INTO events(book, idempotency_key, postings, metadata) VALUES ('shop', 'sale-3',
  '[{"account": "wallet:ana",    "debit":  300}, {"account": "sales",         "credit": 300},
    {"account": "points:ana",    "debit":    3}, {"account": "points:issued", "credit":   3}]',
  '{"receipt": 4711, "items": ["espresso", "cookie"]}');
SELECT seq, kind, idempotency_key, metadata ->> 'items' AS items FROM events WHERE book = 'shop' AND seq > 9;
EOF

chapter "Try again, safely" <<'EOF'
The network broke, and the till does not know whether the first payment arrived. It simply sends it again. The ledger finds the key and answers with the first posting: nothing is posted twice.
EOF
run <<'EOF'
INSERT INTO transfers(book, idempotency_key, debit, credit, amount)
  VALUES ('shop', 'topup-1', 'till', 'wallet:ana', 5000);
SELECT idempotency_key, status, seq FROM results;
EOF
expect "Ana's wallet" "SELECT display FROM balances WHERE account = 'wallet:ana'" 34.90
words <<'EOF'
The same key for a different payment is a bug in the till. To drop it silently would lose a payment, so it is refused, and the first one is named.
EOF
refused idempotency_conflict <<'EOF'
INSERT INTO transfers(book, idempotency_key, debit, credit, amount)
  VALUES ('shop', 'topup-1', 'till', 'wallet:ana', 9900);
EOF

chapter "No overdraft" <<'EOF'
Ana has 34.90. She cannot spend 40.
EOF
refused constraint_violation <<'EOF'
INSERT INTO transfers(book, idempotency_key, debit, credit, amount)
  VALUES ('shop', 'sale-4', 'wallet:ana', 'sales', 4000);
EOF

chapter "A batch with one bad draft" <<'EOF'
All drafts of one SQL transaction are posted, or none: that is the rule. INSERT OR IGNORE loosens it: what is refused is skipped, the rest is posted, and `results` tells which was which and why.
EOF
run <<'EOF'
INSERT OR IGNORE INTO transfers(book, idempotency_key, debit, credit, amount) VALUES
  ('shop', 'topup-2', 'till',       'wallet:ben', 2000),
  ('shop', 'pay-ana', 'wallet:ana', 'wallet:ben', 9999),
  ('shop', 'pay-ben', 'wallet:ben', 'wallet:ana',  500);
SELECT n, idempotency_key, status, seq, error FROM results;
EOF
expect "Ben's wallet" "SELECT display FROM balances WHERE account = 'wallet:ben'" 15.00

chapter "Your tables and the ledger, in one transaction" <<'EOF'
Orders live in an ordinary table of the same database. Both commit together. A ROLLBACK takes both back, and leaves no gap in the ledger's numbers.
EOF
run <<'EOF'
CREATE TABLE orders(id INTEGER PRIMARY KEY, customer TEXT, cents INTEGER);
BEGIN;
  INSERT INTO orders VALUES (1, 'ben', 450);
  INSERT INTO transfers(book, idempotency_key, debit, credit, amount)
    VALUES ('shop', 'order-1', 'wallet:ben', 'sales', 450);
COMMIT;
BEGIN;
  INSERT INTO orders VALUES (2, 'ben', 450);
  INSERT INTO transfers(book, idempotency_key, debit, credit, amount)
    VALUES ('shop', 'order-2', 'wallet:ben', 'sales', 450);
ROLLBACK;
SELECT (SELECT count(*) FROM orders) AS orders, last_seq FROM books WHERE book = 'shop';
EOF
expect "orders posted" "SELECT count(*) FROM events WHERE idempotency_key LIKE 'order-%'" 1

# ---- Kill it --------------------------------------------------------------------------------------------

chapter "Pull the plug" <<'EOF'
Another process sells coffee as fast as it can, one payment a transaction. It notes each key after the ledger has acknowledged it. In the middle of this it is killed with SIGKILL: no handler runs, nothing is flushed.
EOF
cat <<EOF
$dim  sql>$off INSERT INTO transfers(book, idempotency_key, debit, credit, amount)
$dim  sql>$off   VALUES ('shop', 'coffee-1', 'till', 'sales', 250);
$dim  sql>$off INSERT INTO transfers(book, idempotency_key, debit, credit, amount)
$dim  sql>$off   VALUES ('shop', 'coffee-2', 'till', 'sales', 250);
$dim  sql>$off ...
EOF
# The shell buffers stdout, but not stderr: so a note is written the moment it is made.
awk 'BEGIN {
    print ".output stderr"
    for (i = 1; i < 10000000; i++) {
        printf "INSERT INTO transfers(book, idempotency_key, debit, credit, amount) "
        printf "VALUES (\047shop\047, \047coffee-%d\047, \047till\047, \047sales\047, 250);\n", i
        printf ".print coffee-%d\n", i
    }
}' 2>/dev/null | "$TALEA_SQLITE3" -batch -bail -cmd ".load '$module'" "$db" 2>"$demo/acknowledged" &
seller=$!
sleep 1
for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ "$(wc -l <"$demo/acknowledged")" -lt 100 ] || break
    sleep 1
done
kill -0 $seller 2>/dev/null || die "the seller ended by itself: $(tail -n 1 "$demo/acknowledged")"
kill -9 $seller
wait $seller 2>/dev/null || true
acknowledged=$(grep -c '^coffee-[0-9]*$' "$demo/acknowledged")
# A note that was cut off by the kill is none.
[ -z "$(tail -c 1 "$demo/acknowledged")" ] || acknowledged=$((acknowledged - 1))
[ "$acknowledged" -gt 0 ] || die "nothing was acknowledged: $(cat "$demo/acknowledged")"
printf '\n%s  $%s kill -9 %d\n' "$dim" "$off" "$seller"
words <<EOF
It had noted $acknowledged payments. Open the ledger again and count. There may be one more than was noted: the one that was killed between its commit and its note. There must never be one less. \`verify\` reads every byte of the log and recomputes every balance.
EOF
run <<'EOF'
SELECT count(*) AS coffees_posted FROM transfers WHERE idempotency_key LIKE 'coffee-%';
SELECT book, checked, coalesce(problem, 'none') AS problem FROM verify;
EOF
posted=$(quiet "SELECT count(*) FROM transfers WHERE idempotency_key LIKE 'coffee-%'")
[ "$posted" -ge "$acknowledged" ] || die "$acknowledged payments were acknowledged, $posted are there"
[ "$posted" -le $((acknowledged + 1)) ] || die "$posted payments are there, but only $acknowledged were noted"
expect "the last payment that was noted" \
    "SELECT count(*) FROM events WHERE book = 'shop' AND idempotency_key = 'coffee-$acknowledged'" 1
expect "problems" "SELECT count(*) FROM verify WHERE problem IS NOT NULL" 0

# ---- The books ------------------------------------------------------------------------------------------

chapter "The books balance" <<'EOF'
The trial balance: of each asset, all debits equal all credits. As it is now, and as it was when the first ten events were in: every past instant can be asked for.
EOF
run <<'EOF'
SELECT book, asset, debits, credits, debits = credits AS balanced FROM trial_balance;
SELECT account, display FROM balances
 WHERE book = 'shop' AND asset = 'EUR' AND as_of_seq = 10 AND balance <> 0;
EOF
expect "books out of balance" "SELECT count(*) FROM trial_balance WHERE debits <> credits" 0

words <<'EOF'
History is never changed. A correction is a new posting.
EOF
refused append_only <<'EOF'
UPDATE postings SET debit = 1 WHERE seq = 10;
EOF

# ---- A real journal --------------------------------------------------------------------------------------

# A slim image leaves /usr/share/doc out; then the program that made the example makes another.
journal=/usr/share/doc/beancount/examples/example.beancount
if [ ! -f "$journal" ]; then
    journal=$demo/example.beancount
    bean-example --seed 7 -o "$journal" 2>/dev/null || rm -f "$journal"
fi
if [ -f "$journal" ] && python3 tools/journal_to_csv.py "$journal" >"$demo/journal.csv" 2>"$demo/output"; then
    chapter "A real journal" <<'EOF'
Three years of somebody's money: the example journal of the accounting program beancount, with salary, taxes, rent, a credit card, and funds. It is made into journal lines, and posted to a book of its own in one SQL transaction: all of it is there, or nothing.
EOF
    cat <<EOF
$dim  \$$off tools/journal_to_csv.py $journal >$demo/journal.csv
$dim  \$$off cd $demo
$dim  sql>$off .read ../sql/import_journal.sql
EOF
    import_journal() (
        cd "$demo"
        "$TALEA_SQLITE3" -batch -bail -cmd ".load '$module'" -cmd '.mode box' shop.db \
            ".read '$root/sql/import_journal.sql'" 2>&1 | sed 's/^/  /'
    )
    import_journal
    transactions=$(tail -n +2 "$demo/journal.csv" | cut -d, -f2 | sort -u | wc -l)
    count="SELECT count(*) FROM events WHERE book = 'journal' AND kind = 'transaction_posted'"
    expect "transactions" "$count" "$((transactions))"
    words <<'EOF'
Again, to be sure? Every line is found by its key, and nothing is posted twice.
EOF
    import_journal
    expect "transactions" "$count" "$((transactions))"
    expect "assets out of balance" "SELECT count(*) FROM trial_balance WHERE debits <> credits" 0
    words <<'EOF'
What is owned and owed, in every asset:
EOF
    run <<'EOF'
SELECT account, kind, asset, display FROM balances
 WHERE book = 'journal' AND kind IN ('asset', 'liability') AND balance <> 0;
EOF
    words <<'EOF'
And where the money went, year by year:
EOF
    run <<'EOF'
SELECT substr(occurred_at, 1, 4) AS year,
       talea_decimal(talea_sum(debit)  FILTER (WHERE account LIKE 'Expenses:Home%'),  2) AS home,
       talea_decimal(talea_sum(debit)  FILTER (WHERE account LIKE 'Expenses:Food%'),  2) AS food,
       talea_decimal(talea_sum(debit)  FILTER (WHERE account LIKE 'Expenses:Taxes%'), 2) AS taxes,
       talea_decimal(talea_sum(credit) FILTER (WHERE account LIKE 'Income:%Salary%'), 2) AS salary
  FROM postings
 WHERE book = 'journal' AND asset = 'USD'
 GROUP BY year;
EOF
else
    rm -f "$demo/journal.csv"
    words <<'EOF'
(There would be one more chapter: the import of a real journal, with what it says after it. It needs beancount, which is not installed. Debian: apt install beancount; then run this again.)
EOF
fi

cat <<EOF

${bold}Now you.$off All of it is in $db, and the ledger beside it. Paste this to go on:

    sqlite3 -cmd '.load $shown' -box $db

and then, for a start:

    SELECT * FROM balances WHERE book = 'shop';
    SELECT * FROM events WHERE book = 'shop' ORDER BY seq DESC LIMIT 5;
    SELECT * FROM books;

Everything else is in README.md and docs/SQL.md.
EOF
