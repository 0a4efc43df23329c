-- An application table and the ledger in one SQL transaction: commit, rollback, failure of either.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind, min_balance) VALUES ('main', 'cash', 'USD', 'asset', 0), ('main', 'rev', 'USD', 'income', NULL);
CREATE TABLE orders(id INTEGER PRIMARY KEY, note UNIQUE);
BEGIN;
INSERT INTO orders VALUES (1, 'a');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'o1', 'cash', 'rev', 5);
COMMIT;
BEGIN;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'o2', 'cash', 'rev', 5);
INSERT INTO orders VALUES (2, 'b');
ROLLBACK;
-- The table's constraint fails one statement; the transaction goes on.
BEGIN;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'o3', 'cash', 'rev', 5);
INSERT INTO orders VALUES (3, 'a');
COMMIT;
-- The ledger refuses at COMMIT: the table is rolled back with it.
BEGIN;
INSERT INTO orders VALUES (4, 'd');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'o4', 'rev', 'cash', 500);
COMMIT;
SELECT * FROM orders;
SELECT idempotency_key, seq FROM transfers ORDER BY seq;
-- A deferred foreign key fails the COMMIT before the ledger is asked.
PRAGMA foreign_keys = on;
CREATE TABLE lines(o REFERENCES orders(id) DEFERRABLE INITIALLY DEFERRED);
BEGIN;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'o5', 'cash', 'rev', 5);
INSERT INTO lines VALUES (77);
COMMIT;
SELECT count(*) FROM transfers;
INSERT INTO orders VALUES (77, 'z');
COMMIT;
SELECT idempotency_key, seq FROM transfers WHERE seq > 4;
