-- OR IGNORE: a refused draft is skipped, its batchmates commit, later drafts see what is left.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind, min_balance) VALUES ('main', 'cash', 'USD', 'asset', 0), ('main', 'world', 'USD', 'equity', NULL);
INSERT OR IGNORE INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'a', 'cash', 'world', 10), ('main', 'b', 'world', 'cash', 11), ('main', 'c', 'world', 'cash', 4), ('main', 'd', 'world', 'cash', 7), ('main', 'e', 'world', 'cash', 6);
SELECT idempotency_key, status, seq, error FROM results ORDER BY n;
SELECT last_insert_rowid();
-- A required draft beside optional ones still fails the whole.
BEGIN;
INSERT OR IGNORE INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'f', 'cash', 'world', 1), ('main', 'g', 'world', 'cash', 9);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'h', 'world', 'cash', 9);
COMMIT;
SELECT count(*) FROM transfers;
-- All refused: nothing is written, the statement succeeds.
INSERT OR IGNORE INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'x', 'world', 'cash', 9);
SELECT idempotency_key, status FROM results;
SELECT last_seq FROM books WHERE book = 'main';
