#!/usr/bin/env python3
"""Random queries over the virtual tables, held against plain SQLite.

    queries.py SEED QUERIES EVENTS

fills a ledger in memory with about EVENTS random events in several books, copies `events`, `postings`,
`transfers` and `accounts` into plain tables, and then asks QUERIES random queries of both. Whatever the
planner of a virtual table promises (which comparisons it makes itself, in which order rows come, that a
limit was kept), a plain table with the same rows has to give the same answer.

That the rows themselves are right is checked first: a replay of the JSON in `events`, in Python's integers,
gives every posting's running balance, and `balances` and `trial_balance` at many past instants.

The module is $TALEA_SO. SEED repeats a run but for commit times and transaction ids. Exit status: 0, or 1 with
the query that differs.
"""
import collections
import json
import os
import random
import sqlite3
import sys

ASSETS = {  # name: class, network, precision
    "USD": ("fiat", None, 2),
    "EUR": ("fiat", None, 2),
    "BTC": ("crypto", "bit", 8),
    "ETH": ("crypto", "eth", 18),
}
KINDS = ["asset", "liability", "income", "expense", "equity", "clearing"]
FAR = str(10**37)  # a balance limit that is never met, and does not fit 64 bits

# The tables that are compared, in the order of their columns (of `events` all but the definition).
COLUMNS = {
    "events": "book seq at kind txid idempotency_key occurred_at postings external_refs metadata",
    "postings": "book seq idx at txid idempotency_key account asset debit credit balance occurred_at",
    "transfers": "book seq at txid idempotency_key debit credit asset amount occurred_at external_refs metadata",
    "accounts": "book account asset kind normal_side min_balance max_balance opened_seq opened_at",
}
COLUMNS = {table: names.split() for table, names in COLUMNS.items()}
# What conditions are made of, and which columns together are unique.
FILTERED = {
    "events": "book seq at kind txid idempotency_key",
    "postings": "book seq idx at txid idempotency_key account asset",
    "transfers": "book seq at txid idempotency_key debit credit asset",
    "accounts": "book account asset opened_seq opened_at",
}
FILTERED = {table: names.split() for table, names in FILTERED.items()}
UNIQUE = {
    "events": {"book", "seq"},
    "postings": {"book", "seq", "idx"},
    "transfers": {"book", "seq"},
    "accounts": {"book", "account"},
}
INTEGERS = {"seq", "idx", "opened_seq"}
AMOUNTS = {("postings", "debit"), ("postings", "credit"), ("postings", "balance"), ("transfers", "amount"),
           ("accounts", "min_balance"), ("accounts", "max_balance")}


class Different(Exception):
    """The ledger and its oracle do not agree."""


def same(got, want, what):
    """As multisets."""
    got, want = collections.Counter(got), collections.Counter(want)
    if got != want:
        raise Different(f"{what}\n  too many: {list((got - want).elements())[:3]}"
                        f"\n  missing:  {list((want - got).elements())[:3]}")


def connect():
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.enable_load_extension(True)
    db.execute("SELECT load_extension(?)", (os.environ["TALEA_SO"],))
    db.execute("SELECT talea_open(':memory:')")
    return db


# ---- Filling the ledger ------------------------------------------------------------------------


class Filler:
    """Opens accounts and posts, at random; whatever it writes is accepted."""

    def __init__(self, db, rng):
        self.db, self.rng = db, rng

    def insert(self, table, **values):
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        self.db.execute(f"INSERT INTO talea.{table}({names}) VALUES({marks})", list(values.values()))

    def fill(self, events):
        for asset, (asset_class, network, precision) in ASSETS.items():
            self.insert("assets", asset=asset, **{"class": asset_class}, network=network, precision=precision)
        # Names that look like numbers, or like each other: comparisons convert, and know of cases.
        few = events // 10 + 3
        for book, count in (("main", events), ("05", few), ("5", few), ("MAIN", few), ("zed", few)):
            one_transaction = self.rng.random() < 0.5
            if one_transaction:
                self.db.execute("BEGIN")
            self.fill_book(book, count)
            if one_transaction:
                self.db.execute("COMMIT")

    def fill_book(self, book, events):
        accounts = []  # name, asset
        for number in range(events):
            if len(accounts) < 3 or (len(accounts) < 40 and self.rng.random() < 0.08):
                accounts.append(self.open_account(book, len(accounts)))
            else:
                self.post(book, number, accounts)

    def open_account(self, book, number):
        if number < 3:
            name, asset = ["cash", "rev", "1001"][number], "USD"
        else:
            name = f"a{number}" + ('"q' if self.rng.random() < 0.2 else "")
            asset = self.rng.choice(list(ASSETS))
        self.insert("accounts", book=book, account=name, asset=asset, kind=self.rng.choice(KINDS),
                    normal_side=self.rng.choice([None, None, None, "debit", "credit"]),
                    min_balance=self.rng.choice([None, "-" + FAR]), max_balance=self.rng.choice([None, FAR]))
        return name, asset

    def post(self, book, number, accounts):
        asset = self.rng.choice(accounts)[1]
        names = [name for name, its_asset in accounts if its_asset == asset]
        legs = []
        for _ in range(self.rng.choice([1, 1, 1, 2, 3])):
            legs += self.pair(names)
        # Some keys are used in every book.
        key = f"k-{book if self.rng.random() < 0.95 else 'x'}-{number}"
        self.insert("events", book=book, idempotency_key=key, postings=json.dumps(legs),
                    occurred_at=self.rng.choice([None, "2026-01-02 03:04:05"]),
                    metadata=self.rng.choice([None, '{"m":1}']), external_refs=self.rng.choice([None, '["r"]']))

    def pair(self, names):
        """A debit and a credit; sometimes the credit in two parts, sometimes more than 64 bits."""
        amount = self.rng.randint(1, 10**6) * (2**70 if self.rng.random() < 0.1 else 1)
        debit, credit = self.rng.choice(names), self.rng.choice(names)
        parts = [amount - 1, 1] if amount > 1 and self.rng.random() < 0.1 else [amount]
        legs = [{"account": debit, "debit": amount}] + [{"account": credit, "credit": part} for part in parts]
        return legs[::-1] if self.rng.random() < 0.5 else legs


def copy_tables(db):
    """o_TABLE holds what talea.TABLE shows, with the same types, so that the same comparisons convert the same."""
    for table, columns in COLUMNS.items():
        typed = [name + (" INTEGER" if name in INTEGERS else "" if (table, name) in AMOUNTS else " TEXT")
                 for name in columns]
        db.execute(f"CREATE TABLE o_{table}({', '.join(typed)})")
        db.execute(f"INSERT INTO o_{table} SELECT {', '.join(columns)} FROM talea.{table}")


# ---- Are the rows right? A replay --------------------------------------------------------------


def amount_of(value):
    """As SQL shows it: a number while it fits 64 bits, text beyond."""
    return value if -2**63 <= value < 2**63 else str(value)


def decimal(minor, precision):
    digits = str(abs(minor)).rjust(precision + 1, "0")
    return ("-" if minor < 0 else "") + digits[:-precision] + "." + digits[-precision:]


class Replay:
    """The events one by one, from their JSON, and what every other table must then say."""

    def __init__(self, db, rng):
        self.db, self.rng = db, rng
        self.accounts = {}  # (book, account): asset, kind, side, opened_seq
        for book, account, *rest in self.query(
                "SELECT book, account, asset, kind, normal_side, opened_seq FROM o_accounts"):
            self.accounts[book, account] = rest
        self.debits = collections.Counter()
        self.credits = collections.Counter()
        self.updated = {key: opened for key, (_, _, _, opened) in self.accounts.items()}
        self.postings, self.transfers = [], []
        self.instants = 0

    def query(self, sql, *args):
        return self.db.execute(sql, args).fetchall()

    def balance(self, key):
        difference = self.debits[key] - self.credits[key]
        return -difference if self.accounts[key][2] == "credit" else difference

    def run(self):
        events = self.query("SELECT book, seq, at, kind, txid, idempotency_key, occurred_at, postings"
                            " FROM o_events ORDER BY book, seq")
        for book, seq, at, kind, txid, key, occurred_at, postings in events:
            if kind == "transaction_posted":
                self.post(book, seq, at, txid, key, occurred_at, json.loads(postings))
            if book != "_system" and (seq == 1 or self.rng.random() < 0.1):
                self.check_instant(book, seq, at)
        same(self.query("SELECT * FROM talea.postings"), self.postings, "postings")
        same(self.query("SELECT book, seq, debit, credit, amount FROM talea.transfers"), self.transfers, "transfers")
        problems = self.query("SELECT * FROM talea.verify WHERE problem IS NOT NULL")
        same(problems, [], "verify")

    def post(self, book, seq, at, txid, key, occurred_at, legs):
        for idx, leg in enumerate(legs):
            account = book, leg["account"]
            self.debits[account] += leg.get("debit", 0)
            self.credits[account] += leg.get("credit", 0)
            self.updated[account] = seq
            sides = [amount_of(leg[side]) if side in leg else None for side in ("debit", "credit")]
            self.postings.append((book, seq, idx, at, txid, key, leg["account"], leg["asset"], *sides,
                                  amount_of(self.balance(account)), occurred_at))
        if len(legs) == 2:
            debit, credit = sorted(legs, key=lambda leg: "credit" in leg)
            self.transfers.append((book, seq, debit["account"], credit["account"], amount_of(debit["debit"])))

    def check_instant(self, book, seq, at):
        self.instants += 1
        balances, totals = [], {}
        for key, (asset, kind, _, opened) in self.accounts.items():
            if key[0] != book or opened > seq:
                continue
            debits, credits, balance = self.debits[key], self.credits[key], self.balance(key)
            balances.append((*key, asset, kind, amount_of(balance), amount_of(debits), amount_of(credits),
                             self.updated[key], decimal(balance, ASSETS[asset][2])))
            total = totals.setdefault(asset, [0, 0])
            total[0] += debits
            total[1] += credits
        trial = [(book, asset, *map(amount_of, total)) for asset, total in totals.items()]
        what = f"of {book} as of {seq}"
        same(self.query("SELECT * FROM talea.balances WHERE book = ? AND as_of_seq = ?", book, seq),
             balances, "balances " + what)
        same(self.query("SELECT * FROM talea.trial_balance WHERE book = ? AND as_of_seq = ?", book, seq),
             trial, "trial_balance " + what)
        # The time names the instant, too, unless the next event came in the same group.
        if self.query("SELECT at FROM o_events WHERE book = ? AND seq = ?", book, seq + 1) != [(at,)]:
            same(self.query("SELECT * FROM talea.trial_balance(?) WHERE book = ?", at, book),
                 trial, f"trial_balance of {book} as of {at}")


# ---- Random queries ----------------------------------------------------------------------------


def literal(value):
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


class Values:
    """What columns are compared with: what is there, what is nearly there, and every wrong type."""

    def __init__(self, db, rng, events):
        column = lambda sql: [row[0] for row in db.execute(sql)]
        some = lambda values, count: rng.sample(values, min(count, len(values)))
        books = ["05", "5", "MAIN", "_system", "empty", "main", "zed", "nope", 5, 5.0, "Main", None, b"main", "5.0", 99]
        seqs = [1, 2, 3, 0, -1, 7, "5", " 6 ", "7.0", 8.5, 3.0, "abc", None, b"\x05", 10**18, 2**63 - 1, -2**63, 1e300,
                -1e300, "1e1", events // 2, events, events - 1, events + 5, -0.5, 0.5]
        ats = some(column("SELECT at FROM o_events ORDER BY book, seq"), 40)
        ats += [at[:cut] for at in ats[:10] for cut in (4, 7, 9, 10, 13, 16, 19, 20, 23, 26)]
        ats += [at.replace("Z", "z") for at in ats[:3]] + [ats[0] + "0", ats[1][:-1] + "+"]
        ats += ["", "zzz", "2026-01-01T00:00:00Z", "9999", "0000", "garbage", None, 5, 2026.5, b"2026"]
        posted = "FROM o_events WHERE kind = 'transaction_posted' ORDER BY book, seq"
        keys = some(column("SELECT idempotency_key " + posted), 30)
        keys += ["nope", None, 5, b"k", "x" * 300]
        txids = some(column("SELECT txid " + posted), 20)
        txids += [txids[0].upper(), txids[1].replace("-", ""), "nope", None, 5]
        accounts = column("SELECT DISTINCT account FROM o_accounts ORDER BY account")
        accounts += ["nope", None, 1001, 1001.0, b"cash", "CASH"]
        self.of = {"book": books, "seq": seqs, "at": ats, "idempotency_key": keys, "txid": txids,
                   "account": accounts, "debit": accounts, "credit": accounts, "idx": [0, 1, 2, "1"],
                   "asset": list(ASSETS) + ["usd", None, 5], "kind": ["transaction_posted", "asset"],
                   "opened_seq": seqs, "opened_at": ats}
        # The same with each affinity, for subqueries and joins.
        self.stored = books + seqs + accounts
        db.execute("CREATE TABLE vals(i INTEGER, t TEXT, r REAL, x)")
        db.executemany("INSERT INTO vals VALUES(?1, ?1, ?1, ?1)", [(value,) for value in self.stored])


class Query:
    """One random SELECT; sql("talea.") asks the ledger, sql("main.o_") the copies."""

    def __init__(self, rng, values):
        self.rng, self.values = rng, values
        self.table = rng.choice(list(COLUMNS))
        self.args = []
        self.order = self.random_order() if rng.random() < 0.7 else []  # column, direction
        where = " AND ".join(self.condition() for _ in range(rng.randint(0, 3)))
        names = [name for name, _ in self.order]
        form = rng.random()
        group, limit, distinct = "", "", ""
        if form > 0.9:
            grouped = [name for name in ("book", "seq", "at") if name in COLUMNS[self.table]]
            self.columns = rng.sample(grouped, rng.randint(1, min(2, len(grouped))))
            self.order = [(name, way) for name, way in self.order if name in self.columns]
            group = " GROUP BY " + ", ".join(self.columns)
            selected = self.columns + ["count(*)"]
        else:
            distinct = "DISTINCT " if form < 0.1 else ""
            self.columns = rng.sample(COLUMNS[self.table], rng.randint(1, len(COLUMNS[self.table])))
            self.columns += [name for name in names if name not in self.columns]
            selected = self.columns
            # Only a total order says which rows a limit keeps.
            if self.order and UNIQUE[self.table] <= set(names) and rng.random() < 0.6:
                limit = f" LIMIT {rng.randint(0, 20)}"
                limit += f" OFFSET {rng.randint(0, 20)}" if rng.random() < 0.5 else ""
        order = ", ".join(f"{name} {way}" for name, way in self.order)
        self.text = (f"SELECT {distinct}{', '.join(selected)} FROM @{self.table}" + (f" WHERE {where}" if where else "")
                     + group + (f" ORDER BY {order}" if order else "") + limit)

    def sql(self, prefix):
        return self.text.replace("@", prefix)

    def random_order(self):
        known = COLUMNS[self.table]
        if self.rng.random() < 0.5:  # one that the table may know itself
            names = [name for name in ("book", "at", "seq", "idx") if name in known and self.rng.random() < 0.8]
        else:
            names = sorted(UNIQUE[self.table]) + ["at" if "at" in known else "opened_at"]
            self.rng.shuffle(names)
        way = self.rng.choice(["ASC", "DESC"])
        return [(name, way if self.rng.random() < 0.8 else self.rng.choice(["ASC", "DESC"]))
                for name in names[:self.rng.randint(1, 4)]]

    def condition(self, depth=0):
        if depth < 2 and self.rng.random() < 0.25:
            word = self.rng.choice(["OR", "OR", "AND"])
            return f"({self.condition(depth + 1)} {word} {self.condition(depth + 1)})"
        known = FILTERED[self.table]
        often = [name for name in ("book", "seq", "at") if name in known]
        column = self.rng.choice(known if self.rng.random() < 0.6 else often)
        if column == "book" and self.rng.random() < 0.5:
            return "book = 'main'"
        # Not inside an OR: SQLite (3.40 at least) makes an IN of "x = 1 OR x = 2 COLLATE NOCASE", and forgets the
        # collation; an index on the plain table gives the same wrong rows.
        collate = " COLLATE NOCASE" if depth == 0 and self.rng.random() < 0.05 else ""
        return column + " " + self.comparison(column, collate)

    def comparison(self, column, collate):
        value = lambda: self.value(column)
        form = self.rng.random()
        if form < 0.45:
            return f"= {value()}{collate}"
        if form < 0.60:
            return f"IN ({', '.join(value() for _ in range(self.rng.randint(0, 5)))})"
        if form < 0.63:
            return f"IN (SELECT {self.rng.choice('itrx')} FROM vals WHERE rowid % {self.rng.randint(2, 9)} = 1)"
        if form < 0.70:
            return f"BETWEEN {value()} AND {value()}"
        if form < 0.72:
            return f"IS {value()}"
        if form < 0.74:
            return "GLOB '2026*'"
        if form < 0.76:
            return "IS NOT NULL"
        if form < 0.78:
            return f"<> {value()}"
        return f"{self.rng.choice(['<', '<=', '>', '>='])} {value()}{collate}"

    def value(self, column):
        """Written out, bound, or from a row."""
        value = self.rng.choice(self.values.of[column])
        form = self.rng.random()
        if form < 0.3:
            return literal(value)
        if form < 0.4 and column in ("book", "seq", "account", "debit"):
            # A number can equal several texts ('5' and '05'), and SQLite then sorts as if there were but one.
            ordered = column != "seq" and column in (name for name, _ in self.order)
            row = self.rng.randint(1, len(self.values.stored))
            return f"(SELECT {self.rng.choice('tx' if ordered else 'itrx')} FROM vals WHERE rowid = {row})"
        self.args.append(value)
        return "?"


class Comparison:
    def __init__(self, db):
        self.db = db
        self.plans = set()
        self.refused = 0

    def compare(self, query):
        sql = query.sql("talea.")
        try:
            got = self.db.execute(sql, query.args).fetchall()
        except sqlite3.Error as error:
            # A number that two books' names equal is refused: SQLite would have to see both.
            if "stands for" not in str(error):
                raise Different(f"{error}\n  {sql}\n  {query.args}") from error
            self.refused += 1
            return
        want = self.db.execute(query.sql("main.o_"), query.args).fetchall()
        plan = [row[3] for row in self.db.execute("EXPLAIN QUERY PLAN " + sql, query.args)]
        self.plans.update((query.table, line.split(":", 1)[1]) for line in plan if "VIRTUAL" in line)
        what = f"{sql}\n  {query.args}\n  {plan}"
        same(got, want, what)
        keys = [query.columns.index(name) for name, _ in query.order]
        in_order = lambda rows: [tuple(row[key] for key in keys) for row in rows]
        if in_order(got) != in_order(want):
            raise Different(f"{what}\n  the same rows, in another order")

    def compare_text(self, text):
        same(self.db.execute(text.replace("@", "talea.")).fetchall(),
             self.db.execute(text.replace("@", "main.o_")).fetchall(), text)


JOINS = [
    "SELECT count(*), sum(p.idx) FROM @events e JOIN @postings p USING (book, seq)",
    "SELECT e.book, e.seq, p.account, p.balance FROM @transfers e"
    " JOIN @postings p ON p.book = e.book AND p.account = e.debit AND p.seq = e.seq WHERE e.book = 'main'",
    "SELECT e.seq, (SELECT p.balance FROM @postings p WHERE p.book = e.book AND p.seq = e.seq AND p.idx = 1)"
    " FROM @events e WHERE e.book = 'main' ORDER BY e.seq DESC LIMIT 50",
    "SELECT e.book, e.seq, f.seq FROM @events e LEFT JOIN @events f ON f.book = e.book AND f.seq = e.seq + 1"
    " WHERE e.book IN ('main', 'zed', '5') AND f.seq IS NULL",
    "SELECT v.i, e.seq FROM vals v JOIN @events e ON e.seq = v.t AND e.book = v.i",
    "SELECT v.rowid, e.seq FROM vals v JOIN @events e ON e.book = v.x WHERE e.seq < 4",
    "SELECT a.book, a.account, (SELECT count(*) FROM @postings p WHERE p.book = a.book AND p.account = a.account)"
    " FROM @accounts a",
    "SELECT seq, idx, account, balance FROM @postings WHERE account = 'cash' OR seq = 9"
    " OR (book = 'main' AND account = 'rev')",
]


def main():
    seed, queries, events = map(int, sys.argv[1:4])
    rng = random.Random(seed)
    db = connect()
    Filler(db, rng).fill(events)
    copy_tables(db)
    comparison = Comparison(db)
    try:
        replay = Replay(db, rng)
        replay.run()
        values = Values(db, rng, events)
        for _ in range(queries):
            comparison.compare(Query(rng, values))
        for text in JOINS:
            comparison.compare_text(text)
    except Different as difference:
        print(f"FAILED: queries.py {seed} {queries} {events}: {difference}")
        return 1
    print(f"seed {seed}: {queries} queries of {len(comparison.plans)} plans agree ({comparison.refused} refused),"
          f" and {replay.instants} instants of {len(replay.postings)} postings")
    return 0


if __name__ == "__main__":
    sys.exit(main())
