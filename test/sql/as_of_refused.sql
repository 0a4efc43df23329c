-- Instants that are none.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
SELECT * FROM balances WHERE as_of = 'never';
SELECT * FROM balances WHERE as_of_seq = 'x';
SELECT * FROM balances WHERE as_of_seq = -1;
SELECT * FROM balances WHERE as_of_seq = 1.5;
SELECT * FROM trial_balance WHERE as_of = 'never';
SELECT * FROM trial_balance WHERE as_of = x'00';
SELECT count(*) FROM balances WHERE as_of_seq = '2';
SELECT count(*) FROM balances WHERE as_of = NULL;
SELECT count(*) FROM balances WHERE as_of < '2026-01-01';
SELECT count(*) FROM trial_balance WHERE as_of_seq BETWEEN 1 AND 2;
SELECT count(*) FROM balances WHERE as_of_seq = 1 AND as_of_seq > 0;
