-- One user book per SQL transaction; asset registrations ride along and are made durable first.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO accounts(book, account, asset, kind) VALUES ('other', 'x', 'USD', 'asset'), ('other', 'y', 'USD', 'equity');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'a', 'cash', 'rev', 1), ('other', 'a', 'x', 'y', 1);
SELECT count(*) FROM transfers;
BEGIN;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'a', 'cash', 'rev', 1);
INSERT INTO accounts(book, account, asset, kind) VALUES ('other', 'z', 'USD', 'asset');
INSERT INTO events(book, idempotency_key, postings) VALUES ('other', 'k', '[{"account":"x","debit":1},{"account":"y","credit":1}]');
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('other', 'k', 'x', 1, NULL);
COMMIT;
SELECT book, seq FROM transfers;
-- Riding along, and used at once.
BEGIN;
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'bank', 'USD', 'asset');
INSERT INTO assets(asset, class, precision) VALUES ('EUR', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'e1', 'EUR', 'asset'), ('main', 'e2', 'EUR', 'equity');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'e', 'e1', 'e2', 5);
COMMIT;
SELECT n, book, idempotency_key, status, seq FROM results ORDER BY n;
SELECT balance FROM balances WHERE account = 'e1';
SELECT last_insert_rowid();
