-- ROLLBACK TO takes lines of a draft back, too.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
BEGIN;
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k1', 'cash', 5, NULL);
SAVEPOINT s;
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k1', 'rev', NULL, 4);
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k2', 'cash', 4, NULL);
ROLLBACK TO s;
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k1', 'rev', NULL, 5);
RELEASE s;
COMMIT;
SELECT seq, idx, idempotency_key, account, debit, credit FROM postings;
-- occurred_at that only a line taken back had given is not kept.
BEGIN;
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k3', 'cash', 5, NULL);
SAVEPOINT s;
INSERT INTO postings(book, idempotency_key, account, credit, occurred_at) VALUES ('main', 'k3', 'rev', 5, '2020-01-01');
ROLLBACK TO s;
INSERT INTO postings(book, idempotency_key, account, credit, occurred_at) VALUES ('main', 'k3', 'rev', 5, '2021-01-01');
COMMIT;
SELECT seq, idx, occurred_at FROM postings WHERE seq > 3;
