-- Deduplication lasts: over another connection, over closing and opening, with a tiny hot map.
SELECT talea_open('file:led?idem_hot_cap=1&snapshot_every=2') IS NOT NULL;
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k1', 'cash', 'rev', 1);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k2', 'cash', 'rev', 2), ('main', 'k3', 'cash', 'rev', 3), ('main', 'k4', 'cash', 'rev', 4);
SELECT talea_close() IS NULL OR 1;
.open other.db
.load talea
SELECT talea_open('led') IS NOT NULL;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k4', 'cash', 'rev', 4), ('main', 'k1', 'cash', 'rev', 1), ('main', 'k5', 'cash', 'rev', 5);
SELECT idempotency_key, status, seq FROM results;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k2', 'cash', 'rev', 3);
SELECT seq FROM events WHERE book = 'main' AND idempotency_key = 'k3';
