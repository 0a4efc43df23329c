-- last_insert_rowid() is the seq of the transaction's last draft.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
SELECT last_insert_rowid();
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'a', 'cash', 'rev', 1), ('main', 'b', 'cash', 'rev', 1), ('main', 'c', 'cash', 'rev', 1);
SELECT last_insert_rowid();
BEGIN;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'd', 'cash', 'rev', 1);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'a', 'cash', 'rev', 1);
COMMIT;
SELECT last_insert_rowid();
-- A table of the host keeps its own rowids.
CREATE TABLE t(x INTEGER PRIMARY KEY);
INSERT INTO t VALUES (4711);
SELECT last_insert_rowid();
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'e', 'cash', 'rev', 1);
SELECT last_insert_rowid(), changes();
