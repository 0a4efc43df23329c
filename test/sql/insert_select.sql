-- INSERT ... SELECT, from user tables and from our own.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
CREATE TABLE raw(id INTEGER PRIMARY KEY, cents);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO raw SELECT i, i * 3 FROM n;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) SELECT 'main', 'raw-' || id, 'cash', 'rev', cents FROM raw;
SELECT count(*), talea_sum(amount) FROM transfers;
SELECT units FROM books WHERE book = 'main';
-- Reversal of everything in one statement, read from what is being written.
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) SELECT book, 'undo-' || idempotency_key, credit, debit, amount FROM transfers WHERE book = 'main';
SELECT account, balance, debits FROM balances ORDER BY account;
SELECT max(seq), count(DISTINCT seq) FROM transfers;
SELECT count(*), sum(status = 'committed'), max(seq) FROM results;
-- Run once more: everything is known.
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) SELECT 'main', 'raw-' || id, 'cash', 'rev', cents FROM raw;
SELECT status, count(*), min(seq), max(seq) FROM results GROUP BY status;
SELECT last_seq FROM books WHERE book = 'main';
