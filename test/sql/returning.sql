-- RETURNING gives what the statement said, not what the table holds; the seq comes from last_insert_rowid().
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k', 'cash', 'rev', 5) RETURNING idempotency_key, amount;
SELECT last_insert_rowid();
