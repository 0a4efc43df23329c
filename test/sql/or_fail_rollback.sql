-- OR FAIL keeps what the statement did before, OR ROLLBACK ends the transaction, OR ABORT is the default.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
BEGIN;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'a', 'cash', 'rev', 1);
INSERT OR FAIL INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'b', 'cash', 'rev', 1), ('main', 'c', 'nobody', 'rev', 1), ('main', 'd', 'cash', 'rev', 1);
COMMIT;
SELECT idempotency_key, seq FROM transfers ORDER BY seq;
BEGIN;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'e', 'cash', 'rev', 1);
INSERT OR ABORT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'f', 'cash', 'rev', 1), ('main', 'g', 'nobody', 'rev', 1);
COMMIT;
SELECT idempotency_key, seq FROM transfers WHERE seq > 4;
BEGIN;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'h', 'cash', 'rev', 1);
INSERT OR ROLLBACK INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'i', 'nobody', 'rev', 1);
COMMIT;
SELECT count(*) FROM transfers;
