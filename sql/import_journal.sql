-- import_journal.sql: posts a journal that lies as journal.csv in the current directory.
--
--     tools/journal_to_csv.py example.beancount >journal.csv
--     sqlite3 -cmd '.load talea' -cmd '.read sql/import_journal.sql' money.db
--
-- It may be run again, with the same journal or with one that has grown: what is there already is
-- found by its key and not posted twice. Everything goes to the book "journal" in one SQL transaction,
-- so it is there whole or not at all, and costs one sync.
.bail on

-- 1. The lines as text. Amounts stay text until the ledger converts them: no REAL in between.
DROP TABLE IF EXISTS temp.journal_line;
CREATE TEMP TABLE journal_line(
    date TEXT, key TEXT, account TEXT, asset TEXT, amount TEXT, narration TEXT);
.import --csv --skip 1 --schema temp journal.csv journal_line

-- 2. The precision of an asset is for ever: the one that it is registered with, or the most decimals
--    that the journal shows.
DROP TABLE IF EXISTS temp.journal_asset;
CREATE TEMP TABLE journal_asset AS
SELECT asset,
       coalesce((SELECT known.precision FROM talea.assets AS known WHERE known.asset = line.asset),
                max(CASE WHEN instr(amount, '.') THEN length(amount) - instr(amount, '.') ELSE 0 END))
           AS precision
FROM journal_line AS line
GROUP BY asset;

BEGIN;

-- 3. A table of your own keeps what a journal line has no place for. It is written in the same SQL
--    transaction, beside the ledger.
CREATE TABLE IF NOT EXISTS journal(key TEXT PRIMARY KEY, date TEXT, narration TEXT);
INSERT OR IGNORE INTO journal SELECT DISTINCT key, date, narration FROM journal_line;

-- 4. Assets. Funds and vacation hours are "fiat" too: the class only says that no network keeps them.
INSERT INTO talea.assets(asset, class, precision)
SELECT asset, 'fiat', precision FROM journal_asset;

-- 5. Accounts, in the order in which the journal names them. The top-level name tells the kind.
INSERT INTO talea.accounts(book, account, asset, kind)
SELECT 'journal', account, asset,
       CASE substr(account, 1, instr(account, ':') - 1)
           WHEN 'Assets' THEN 'asset'
           WHEN 'Liabilities' THEN 'liability'
           WHEN 'Income' THEN 'income'
           WHEN 'Expenses' THEN 'expense'
           WHEN 'Equity' THEN 'equity'
           WHEN 'Conversions' THEN 'clearing'
       END
FROM journal_line
GROUP BY account
ORDER BY min(rowid);

-- 6. Journal lines. Those with the same key form one draft, and COMMIT refuses one that does not
--    balance. A positive amount is a debit; a line of 0 opened its account, and posts nothing.
INSERT INTO talea.postings(book, idempotency_key, occurred_at, account, asset, debit, credit)
SELECT 'journal', key, date, account, asset,
       CASE WHEN amount NOT LIKE '-%' THEN talea_minor(amount, precision) END,
       CASE WHEN amount LIKE '-%' THEN talea_minor(substr(amount, 2), precision) END
FROM journal_line JOIN journal_asset USING (asset)
WHERE trim(amount, '-0.') <> ''
ORDER BY journal_line.rowid;

COMMIT;

-- 7. What came of it.
SELECT CASE WHEN idempotency_key IS NULL THEN 'definitions' ELSE 'transactions' END AS drafts,
       status, count(*) AS n
FROM talea.results
GROUP BY drafts, status;
