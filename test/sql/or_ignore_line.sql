-- OR IGNORE takes drafts, not lines: a draft that lost a line is not posted with the rest of them.
SELECT talea_open('file:l?mode=memory') IS NOT NULL;
INSERT INTO assets(asset, class, precision) VALUES ('EUR', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES
  ('main', 'cash', 'EUR', 'asset'), ('main', 'rev', 'EUR', 'income');
INSERT OR IGNORE INTO postings(book, idempotency_key, account, debit, credit) VALUES
  ('main', 'four', 'cash', 5, NULL),
  ('main', 'four', 'rev', NULL, 5),
  ('main', 'four', 'nowhere', 3, NULL),
  ('main', 'four', 'nowhere', NULL, 3),
  ('main', 'two', 'cash', 1, NULL),
  ('main', 'two', 'rev', NULL, 1);
SELECT n, idempotency_key, status, seq, error FROM results;
-- The refused line comes first, in a transaction with a required line of the same key: COMMIT fails.
BEGIN;
INSERT OR IGNORE INTO postings(book, idempotency_key, account, debit) VALUES ('main', 'mixed', 'nowhere', 1);
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES
  ('main', 'mixed', 'cash', 2, NULL), ('main', 'mixed', 'rev', NULL, 2);
COMMIT;
SELECT n, idempotency_key, status, error FROM results;
-- Taken back with its savepoint, a refused line refuses nothing.
BEGIN;
SAVEPOINT s;
INSERT OR IGNORE INTO postings(book, idempotency_key, account, debit) VALUES ('main', 'back', 'nowhere', 1);
ROLLBACK TO s;
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES
  ('main', 'back', 'cash', 2, NULL), ('main', 'back', 'rev', NULL, 2);
COMMIT;
SELECT idempotency_key, account, debit, credit FROM postings WHERE book = 'main' ORDER BY seq, idx;
