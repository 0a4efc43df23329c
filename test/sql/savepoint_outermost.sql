-- A SAVEPOINT as the transaction; rolled back to its beginning; RELEASE commits.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
SAVEPOINT s;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'a', 'cash', 'rev', 1);
ROLLBACK TO s;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'b', 'cash', 'rev', 2);
RELEASE s;
SELECT idempotency_key, seq FROM transfers;
SAVEPOINT s;
SAVEPOINT t;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'c', 'cash', 'rev', 1);
ROLLBACK TO s;
RELEASE s;
SELECT count(*) FROM transfers;
-- Opened before any table of ours joined, told late.
BEGIN;
SAVEPOINT a;
SAVEPOINT b;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'd', 'cash', 'rev', 1);
SAVEPOINT c;
INSERT INTO events(book, idempotency_key, postings) VALUES ('main', 'e', '[{"account":"cash","debit":1},{"account":"rev","credit":1}]');
RELEASE b;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'f', 'cash', 'rev', 1);
ROLLBACK TO a;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'g', 'cash', 'rev', 1);
COMMIT;
SELECT idempotency_key, seq FROM transfers ORDER BY seq;
-- RELEASE of the outermost with a refusal: the whole fails.
SAVEPOINT s;
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'h', 'cash', 1, NULL);
RELEASE s;
SELECT count(*) FROM transfers;
