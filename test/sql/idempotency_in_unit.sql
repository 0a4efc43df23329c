-- The same key twice in one SQL transaction: the second is a duplicate of the first, or a conflict.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k1', 'cash', 'rev', 10), ('main', 'k1', 'cash', 'rev', 10);
SELECT n, status, seq FROM results;
SELECT count(*) FROM transfers;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k2', 'cash', 'rev', 10), ('main', 'k2', 'cash', 'rev', 11);
SELECT count(*) FROM transfers;
INSERT OR IGNORE INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k3', 'cash', 'rev', 10), ('main', 'k3', 'cash', 'rev', 11);
SELECT n, status, seq, error FROM results;
-- A key refused once is free.
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k2', 'cash', 'rev', 12);
SELECT status, seq FROM results;
