-- The book of a transaction is free again when a savepoint took its drafts back.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO accounts(book, account, asset, kind) VALUES ('other', 'x', 'USD', 'asset'), ('other', 'y', 'USD', 'equity');
BEGIN;
SAVEPOINT s;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'a', 'cash', 'rev', 1);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('other', 'a', 'x', 'y', 1);
ROLLBACK TO s;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('other', 'a', 'x', 'y', 1);
RELEASE s;
COMMIT;
SELECT book, seq FROM transfers;
