-- One draft per (book, key) and SQL transaction: lines of different statements join, other SQL transactions do not.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
BEGIN;
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k1', 'cash', 5, NULL);
COMMIT;
BEGIN;
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k1', 'rev', NULL, 5);
COMMIT;
-- Several drafts in one statement.
INSERT INTO postings(book, idempotency_key, account, debit, credit)
  SELECT 'main', 'n' || n, iif(side, 'cash', 'rev'), iif(side, n, NULL), iif(side, NULL, n)
  FROM (SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3), (SELECT 1 AS side UNION ALL SELECT 0);
SELECT seq, idempotency_key, count(*), sum(debit), sum(credit) FROM postings GROUP BY seq ORDER BY seq;
SELECT last_insert_rowid();
-- A key that a whole draft of the same SQL transaction has: no line joins it silently.
BEGIN;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k9', 'cash', 'rev', 5);
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k9', 'cash', 5, NULL), ('main', 'k9', 'rev', NULL, 5);
COMMIT;
SELECT n, idempotency_key, status, seq FROM results;
