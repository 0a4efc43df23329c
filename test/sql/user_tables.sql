-- A user's own tables in main win over the bare names; talea.NAME is always ours.
CREATE TABLE events(x);
INSERT INTO events VALUES ('mine');
CREATE TABLE balances AS SELECT 'mine' AS y;
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k', 'cash', 'rev', 7);
SELECT x FROM events;
SELECT y FROM balances;
SELECT count(*) FROM talea.events;
SELECT balance FROM talea.balances WHERE account = 'cash';
DELETE FROM events;
DROP TABLE balances;
SELECT balance FROM balances WHERE account = 'cash';
-- Loading beside tables of these names.
CREATE TABLE accounts(z);
CREATE TABLE results(z);
.open shop.db
.load talea
SELECT count(*) FROM accounts;
SELECT count(*) FROM talea.accounts;
