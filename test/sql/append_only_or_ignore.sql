-- OR IGNORE does not turn a refused UPDATE into a done one, nor into a silent one: SQLite skips a row
-- refused with SQLITE_CONSTRAINT, so here the code is SQLITE_ERROR.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k1', 'cash', 'rev', 10);
UPDATE OR IGNORE transfers SET amount = 11;
UPDATE OR REPLACE transfers SET amount = 11;
SELECT amount FROM transfers;
-- A failed DELETE inside a transaction leaves the rest of it.
BEGIN;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k2', 'cash', 'rev', 5);
DELETE FROM transfers;
COMMIT;
SELECT seq, amount FROM transfers ORDER BY seq;
