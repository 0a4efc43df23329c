-- min_balance and max_balance: checked by the writer, draft by draft in order, deferred to COMMIT.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind, min_balance, max_balance) VALUES
  ('main', 'cash', 'USD', 'asset', 0, 100), ('main', 'wallet', 'USD', 'liability', 0, NULL), ('main', 'credit', 'USD', 'liability', -50, NULL), ('main', 'world', 'USD', 'equity', NULL, NULL);
-- Exactly at the border is allowed, one beyond is not.
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', '1', 'cash', 'world', 101);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', '1', 'cash', 'world', 100);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', '2', 'world', 'cash', 101);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', '2', 'world', 'cash', 100);
-- min 0 means "never overdrawn" for a liability as well.
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', '3', 'wallet', 'world', 1);
-- A negative minimum is a credit line.
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', '4', 'credit', 'world', 50);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', '5', 'credit', 'world', 1);
-- An overdraft followed by its cover is still refused; the other way round it is fine.
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', '6', 'wallet', 'world', 5), ('main', '7', 'world', 'wallet', 5);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', '7', 'world', 'wallet', 5), ('main', '6', 'wallet', 'world', 5);
-- Inside one draft only the sum counts.
INSERT INTO events(book, idempotency_key, postings) VALUES ('main', '8', '[{"account":"wallet","debit":5},{"account":"wallet","credit":5}]');
-- Deferred: the INSERT succeeds, the COMMIT fails and ends the transaction.
BEGIN;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', '9', 'wallet', 'world', 5);
SELECT 'staged';
COMMIT;
ROLLBACK;
SELECT account, balance, updated_seq FROM balances ORDER BY account;
SELECT last_seq FROM books WHERE book = 'main';
