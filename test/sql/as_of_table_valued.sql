-- The hidden columns as arguments of a table-valued function, and what they answer.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k3', 'cash', 'rev', 10);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k4', 'cash', 'rev', 20);
SELECT account, balance FROM talea.balances('9999-01-01', 3);
SELECT account, balance FROM balances('9999-01-01');
SELECT debits FROM trial_balance('9999-01-01', 3);
-- Both given: whatever is earlier.
SELECT balance FROM balances WHERE as_of = '2001-01-01' AND as_of_seq = 3;
-- Hidden columns give back what was asked, NULL otherwise; not part of *.
SELECT as_of, as_of_seq FROM balances WHERE account = 'cash';
SELECT as_of, as_of_seq FROM balances('9999-01-01', 3) WHERE account = 'cash';
-- From a table, one instant a row.
CREATE TABLE steps(s);
INSERT INTO steps VALUES (2), (3), (4);
SELECT s, balance FROM steps JOIN balances ON as_of_seq = s AND account = 'cash' ORDER BY s;
SELECT s, (SELECT balance FROM balances WHERE account = 'rev' AND as_of_seq = s) FROM steps;
SELECT balance FROM balances WHERE account = 'cash' AND as_of_seq IN (3, 4) ORDER BY 1;
SELECT balance FROM balances WHERE account = 'cash' AND (as_of_seq = 3 OR as_of_seq = 4) ORDER BY 1;
-- An OR whose terms each give an instant is taken term by term, although one scan would be simpler.
SELECT as_of_seq, balance FROM balances WHERE (as_of_seq = 3 AND balance > 0 AND account LIKE 'c%') OR (as_of_seq = 4 AND account LIKE 'c%') ORDER BY 1;
