-- A trigger of a user's table may post: TEMP triggers, by the bare name; part of the same SQL transaction.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
CREATE TABLE orders(id INTEGER PRIMARY KEY, total);
CREATE TEMP TRIGGER post AFTER INSERT ON orders BEGIN
  INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'order-' || new.id, 'cash', 'rev', new.total);
END;
INSERT INTO orders VALUES (1, 100), (2, 250);
SELECT idempotency_key, seq, amount FROM transfers ORDER BY seq;
-- The trigger's refusal fails the statement, and the order is not there either.
INSERT INTO orders VALUES (3, 5), (4, -1);
SELECT count(*) FROM orders;
SELECT count(*) FROM transfers;
BEGIN;
INSERT INTO orders VALUES (5, 7);
INSERT INTO orders VALUES (6, 'x');
COMMIT;
SELECT id FROM orders ORDER BY 1;
SELECT idempotency_key, seq FROM transfers WHERE seq > 4;
