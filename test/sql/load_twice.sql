-- Loading twice on one connection is harmless: tables, ledger and drafts stay.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
.load talea
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k1', 'cash', 'rev', 5);
BEGIN;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k2', 'cash', 'rev', 7);
.load talea
COMMIT;
.load talea
SELECT account, balance FROM balances ORDER BY account;
SELECT name FROM pragma_database_list WHERE name = 'talea';
