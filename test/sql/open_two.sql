-- Several ledgers at once, joined; each schema is its own.
SELECT talea_open('one') IS NOT NULL, talea_open('two', 'b') IS NOT NULL;
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO b.assets(asset, class, precision) VALUES ('USD', 'fiat', 4);
INSERT INTO b.accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k1', 'cash', 'rev', 5);
INSERT INTO b.transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k1', 'cash', 'rev', 70);
SELECT x.account, x.display, y.display FROM talea.balances x JOIN b.balances y USING (book, account) ORDER BY 1;
-- One SQL transaction writes one ledger.
BEGIN;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k2', 'cash', 'rev', 5);
INSERT INTO b.transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k2', 'cash', 'rev', 5);
COMMIT;
SELECT count(*) FROM transfers;
SELECT count(*) FROM b.transfers;
-- After a rollback the other one may be written.
BEGIN;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k3', 'cash', 'rev', 5);
ROLLBACK;
INSERT INTO b.transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k3', 'cash', 'rev', 5);
SELECT count(*) FROM b.transfers;
SELECT talea_close('b') IS NULL OR 1;
SELECT count(*) FROM talea.transfers;
