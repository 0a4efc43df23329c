-- Views, CTEs, joins and window functions over our tables, with tables of the user.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
CREATE TABLE customers(id INTEGER PRIMARY KEY, name, account);
INSERT INTO customers VALUES (1, 'Ann', 'cash'), (2, 'Bob', 'rev'), (3, 'Cy', 'none');
CREATE TEMP VIEW statement AS SELECT c.name, p.seq, p.debit, p.credit, p.balance FROM customers c JOIN talea.postings p ON p.account = c.account AND p.book = 'main';
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', '1', 'cash', 'rev', 10), ('main', '2', 'rev', 'cash', 4);
SELECT * FROM statement ORDER BY name, seq;
SELECT name, balance FROM customers LEFT JOIN balances USING (account) ORDER BY id;
WITH moves AS (SELECT account, coalesce(debit, 0) - coalesce(credit, 0) AS net, seq FROM postings)
  SELECT account, seq, sum(net) OVER (PARTITION BY account ORDER BY seq) FROM moves ORDER BY 1, 2;
SELECT name FROM customers WHERE account IN (SELECT account FROM balances WHERE balance > 5) ORDER BY 1;
SELECT a.account, b.account FROM balances a JOIN balances b ON a.book = b.book AND a.account < b.account;
SELECT name, EXISTS (SELECT 1 FROM transfers t WHERE t.debit = c.account) FROM customers c ORDER BY id;
SELECT seq FROM events WHERE book = 'main' EXCEPT SELECT seq FROM transfers;
-- SQLite lets a view of main see main alone; views over the ledger are TEMP.
CREATE VIEW v AS SELECT account, display FROM balances;
SELECT * FROM v;
