#!/bin/sh
# Python's sqlite3 module as a host: its own statement cache, its own implicit transactions, threads.
set -eu

# Some Pythons are built without enable_load_extension.
python=
for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import sqlite3; sqlite3.connect(":memory:").enable_load_extension(True)' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "no Python here whose sqlite3 can load extensions"
    exit 0
fi
if [ -n "${TALEA_PRELOAD:-}" ]; then
    echo "a sanitizer's runtime and Python do not go together"
    exit 0
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
unset TALEA_DIR

"$python" - <<'EOF'
import gc, os, sqlite3, threading

def connect(name="shop.db", **options):
    db = sqlite3.connect(name, **options)
    db.enable_load_extension(True)
    db.load_extension(os.environ["TALEA_SO"])
    db.enable_load_extension(False)
    return db

db = connect()
with db:
    db.execute("INSERT INTO assets(asset, class, precision) VALUES (?, ?, ?)", ("USD", "fiat", 2))
with db:
    db.executemany("INSERT INTO accounts(book, account, asset, kind) VALUES ('main', ?, 'USD', ?)",
                   [("cash", "asset"), ("rev", "income")])

POST = "INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', ?, 'cash', 'rev', ?)"

# Python opens a transaction before an INSERT: nothing is there before commit().
cursor = db.execute(POST, ("k1", 100))
assert db.in_transaction
assert db.execute("SELECT count(*) FROM transfers").fetchone() == (0,)
db.rollback()
db.execute(POST, ("k1", 250))
db.commit()
assert db.execute("SELECT idempotency_key, seq, amount FROM transfers").fetchall() == [("k1", 3, 250)]
assert db.execute("SELECT last_insert_rowid()").fetchone() == (3,)

# executemany is one unit; a refused row takes the whole with it.
db.executemany(POST, ((f"m{i}", i) for i in range(1, 1001)))
db.commit()
try:
    with db:
        db.executemany(POST, [("x1", 1), ("x2", -1)])
    raise SystemExit("a negative amount was taken")
except sqlite3.IntegrityError as refusal:
    assert str(refusal).startswith("talea: invalid_amount: "), refusal
assert db.execute("SELECT count(*) FROM transfers").fetchone() == (1001,)

# Amounts past 64 bits: Python's integers do not bind, text does; floats are refused.
with db:
    db.execute(POST, ("big", str(10**30)))
assert db.execute("SELECT amount FROM transfers WHERE idempotency_key = 'big'").fetchone() == (str(10**30),)
for wrong in (1.0, b"1", None, "1.0", ""):
    try:
        with db:
            db.execute(POST, ("wrong", wrong))
        raise SystemExit(f"{wrong!r} was taken")
    except sqlite3.IntegrityError as refusal:
        assert str(refusal).startswith("talea: invalid_amount: "), refusal

# A COMMIT that is refused: IntegrityError, and the connection is usable.
with db:
    db.execute("INSERT INTO accounts(book, account, asset, kind, min_balance) VALUES ('main', 'vault', 'USD', 'asset', 0)")
db.execute("INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'over', 'rev', 'vault', 1)")
try:
    db.commit()
    raise SystemExit("an overdraft was committed")
except sqlite3.IntegrityError as refusal:
    assert str(refusal).startswith('talea: constraint_violation: draft "over"'), refusal
assert not db.in_transaction

# Row factories, named parameters, iteration while posting on another connection.
db.row_factory = sqlite3.Row
row = db.execute("SELECT * FROM balances WHERE book = :b AND account = :a", {"b": "main", "a": "cash"}).fetchone()
assert row["balance"] == str(10**30 + 250 + 500500) and row["display"].endswith(".50"), dict(row)
other = connect(isolation_level=None)
rows = iter(db.execute("SELECT seq FROM transfers"))
next(rows)
other.execute(POST, ("other", 1))
assert sum(1 for _ in rows) == 1001
assert db.execute("SELECT count(*) AS n FROM transfers").fetchone()["n"] == 1003

# Threads with a connection each.
def work(n):
    mine = connect(isolation_level=None)
    for i in range(50):
        mine.execute(POST, (f"t{n}-{i}", 1))
    mine.close()

threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
assert db.execute("SELECT count(*) AS n FROM transfers").fetchone()["n"] == 1203

# Closed by the garbage collector, statements cached, a cursor half read.
half = other.execute("SELECT * FROM events")
half.fetchone()
del half, other
gc.collect()
again = connect()
assert again.execute("SELECT count(*) FROM verify WHERE problem IS NOT NULL").fetchone() == (0,)
assert again.execute("SELECT talea_version()").fetchone()[0].startswith("talea 0.1.0")
again.close()
db.close()
print("ok")
EOF
