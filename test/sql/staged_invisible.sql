-- A connection's own staged drafts are not visible before COMMIT; after it they are.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
BEGIN;
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'new', 'USD', 'asset');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k1', 'new', 'rev', 1);
SELECT count(*) FROM transfers;
SELECT count(*) FROM accounts;
SELECT balance FROM balances WHERE account = 'rev';
SELECT last_seq FROM books WHERE book = 'main';
COMMIT;
SELECT account, balance FROM balances ORDER BY 1;
