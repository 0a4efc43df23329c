#!/usr/bin/env python3
"""A beancount journal as CSV of journal lines, for sql/import_journal.sql.

    journal_to_csv.py JOURNAL >journal.csv

Beancount itself reads the journal (Debian: apt install beancount), so what is written here is what
beancount understood: interpolated amounts, expanded pads, plugins.

Columns: date, key, account, asset, amount, narration. One row a posting:

  key      the same for all lines of one transaction, and the same whenever the journal is read: the
           date, a hash of the transaction's content, and a number that tells equal transactions apart.
           So a journal that has grown can be imported again; a transaction that was edited is a new one.
  account  beancount's account and the asset, "Assets:Bank:USD": an account of talea holds one asset.
  amount   decimal text, debit positive. Lines of 0 are kept: they open accounts, and post nothing.

A purchase of 5 GLD for 700 USD balances in beancount by its cost. A ledger balances each asset by
itself, so what is left over in an asset goes to "Conversions:ASSET", a line for all to see.
"""
import csv
import hashlib
import os
import shutil
import sys
from collections import Counter, defaultdict


def use_the_python_of_bean_query():
    """Where several Pythons are installed, beancount is known to the one that bean-query names."""
    tool = shutil.which("bean-query")
    if tool:
        with open(tool, encoding="utf-8", errors="replace") as script:
            python = script.readline()[2:].strip()
        if os.path.isfile(python) and not os.path.samefile(python, sys.executable):
            os.execv(python, [python] + sys.argv)
    sys.exit("journal_to_csv.py: needs beancount (Debian: apt install beancount)")


try:
    from beancount import loader
    from beancount.core import data
except ImportError:
    use_the_python_of_bean_query()


def narration_of(transaction):
    return " | ".join(text for text in (transaction.payee, transaction.narration) if text)


def lines_of(transaction):
    """(account, asset, amount) of each posting, then of each asset's conversion."""
    left = defaultdict(int)
    for posting in transaction.postings:
        number, asset = posting.units.number, posting.units.currency
        left[asset] += number
        yield f"{posting.account}:{asset}", asset, number
    for asset, number in sorted(left.items()):
        if number:
            yield f"Conversions:{asset}", asset, -number


def rows(transactions):
    seen = Counter()
    for transaction in transactions:
        narration = narration_of(transaction)
        lines = [(account, asset, f"{number:f}") for account, asset, number in lines_of(transaction)]
        content = repr((transaction.date.isoformat(), narration, lines))
        content = f"{transaction.date}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
        seen[content] += 1
        for account, asset, amount in lines:
            yield transaction.date, f"{content}-{seen[content]}", account, asset, amount, narration


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    entries, errors, _ = loader.load_file(sys.argv[1])
    for error in errors:
        print(f"journal_to_csv.py: {error.source.get('lineno')}: {error.message}", file=sys.stderr)
    if errors:
        sys.exit(1)  # what beancount does not accept does not get into a ledger
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["date", "key", "account", "asset", "amount", "narration"])
    out.writerows(rows(e for e in entries if isinstance(e, data.Transaction)))


if __name__ == "__main__":
    main()
