-- What a savepoint took back can no longer be named.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
BEGIN;
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset');
SAVEPOINT s;
INSERT INTO assets(asset, class, precision) VALUES ('EUR', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'rev', 'USD', 'income'), ('main', 'euros', 'EUR', 'asset');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'a', 'cash', 'rev', 1);
ROLLBACK TO s;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'b', 'cash', 'rev', 1);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'euros', 'EUR', 'asset');
INSERT INTO assets(asset, class, precision) VALUES ('EUR', 'fiat', 4);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'rev', 'USD', 'equity');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'a', 'rev', 'cash', 7);
COMMIT;
SELECT asset, precision FROM assets;
SELECT account, kind, opened_seq FROM accounts;
SELECT seq, debit, amount FROM transfers;
