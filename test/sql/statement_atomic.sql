-- A multi-row statement that fails leaves no trace and burns no sequence number.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
BEGIN;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'a', 'cash', 'rev', 1);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'b', 'cash', 'rev', 1), ('main', 'c', 'cash', 'rev', 1), ('main', 'd', 'nobody', 'rev', 1);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'e', 'cash', 'rev', 1);
COMMIT;
SELECT idempotency_key, seq FROM transfers ORDER BY seq;
SELECT idempotency_key, status FROM results;
-- Autocommitted.
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'f', 'cash', 'rev', 1), ('main', 'g', 'cash', 'rev', -1);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'f', 'cash', 'rev', 2);
SELECT seq, amount FROM transfers WHERE idempotency_key = 'f';
-- Accounts opened by a failed statement are not open.
BEGIN;
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'new', 'USD', 'asset'), ('main', 'bad', 'XXX', 'asset');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'h', 'new', 'rev', 1);
COMMIT;
SELECT last_seq FROM books WHERE book = 'main';
