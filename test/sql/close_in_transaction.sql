-- Closing or opening under staged drafts must not lose them silently: refused, and COMMIT posts.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
BEGIN;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k1', 'cash', 'rev', 5);
SELECT talea_close();
SELECT talea_open('elsewhere');
COMMIT;
SELECT balance FROM balances WHERE account = 'cash';
