-- Any past instant of balances and trial_balance, by time and by seq; both agree with a replay.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k3', 'cash', 'rev', 10);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k4', 'cash', 'rev', 20);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'late', 'USD', 'expense');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k6', 'late', 'cash', 5);
SELECT account, balance, updated_seq FROM balances WHERE as_of_seq = 3 ORDER BY account;
SELECT account, balance, updated_seq FROM balances WHERE as_of_seq = 5 ORDER BY account;
SELECT account, balance FROM balances WHERE as_of_seq = 1;
SELECT count(*) FROM balances WHERE as_of_seq = 0;
SELECT balance FROM balances WHERE as_of_seq = 99 AND account = 'cash';
-- By time: everything committed at or before it.
SELECT s.seq, b.account, b.balance FROM (SELECT seq, at FROM events WHERE book = 'main' AND seq >= 3) s, balances b WHERE b.as_of = s.at ORDER BY 1, 2;
SELECT count(*) FROM balances WHERE as_of = '2001-01-01';
SELECT count(*) FROM balances WHERE as_of = '9999-12-31';
SELECT account, balance FROM balances WHERE as_of = datetime('now', '+1 day') AND account = 'late';
SELECT * FROM trial_balance WHERE as_of_seq = 4;
SELECT debits, credits FROM trial_balance WHERE as_of = (SELECT at FROM events WHERE book = 'main' AND seq = 3);
-- A replay gives the same for each seq and account: 1 + 2 + 2 + 2 + 3 + 3 rows.
WITH replay AS (
  SELECT e.seq, b.account, (SELECT coalesce(sum(coalesce(p.debit, 0) - coalesce(p.credit, 0)), 0) FROM postings p WHERE p.account = b.account AND p.seq <= e.seq) AS net, b.debits - b.credits AS said
  FROM events e, balances b WHERE e.book = 'main' AND b.book = 'main' AND b.as_of_seq = e.seq)
SELECT count(*), sum(net = said) FROM replay;
