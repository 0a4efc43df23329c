-- Lines are judged by shape at once, and for balance at COMMIT.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k1', 'cash', 5, NULL);
BEGIN;
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k1', 'cash', 5, NULL);
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k1', 'rev', NULL, 4);
COMMIT;
-- The COMMIT that failed ended the transaction, and left nothing.
SELECT count(*) FROM postings;
COMMIT;
SELECT n, idempotency_key, status, error FROM results;
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k1', 'cash', 5, 5);
INSERT INTO postings(book, idempotency_key, account) VALUES ('main', 'k1', 'cash');
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k1', 'cash', 0, NULL);
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k1', 'cash', NULL, -5);
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k1', 'cash', NULL, 5.0);
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k1', 'nobody', NULL, 5);
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', NULL, 'cash', NULL, 5);
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k1', NULL, NULL, 5);
INSERT INTO postings(book, idempotency_key, account, asset, credit) VALUES ('main', 'k1', 'cash', 'EUR', 5);
INSERT INTO postings(book, idempotency_key, account, credit, idx) VALUES ('main', 'k1', 'cash', 5, 0);
INSERT INTO postings(book, idempotency_key, account, credit, balance) VALUES ('main', 'k1', 'cash', 5, 0);
-- occurred_at given twice must agree.
BEGIN;
INSERT INTO postings(book, idempotency_key, account, debit, occurred_at) VALUES ('main', 'k5', 'cash', 5, '2025-01-01');
INSERT INTO postings(book, idempotency_key, account, credit, occurred_at) VALUES ('main', 'k5', 'rev', 5, '2025-01-02');
COMMIT;
BEGIN;
INSERT INTO postings(book, idempotency_key, account, debit, occurred_at) VALUES ('main', 'k5', 'cash', 5, '2025-01-01');
INSERT INTO postings(book, idempotency_key, account, credit, occurred_at) VALUES ('main', 'k5', 'rev', 5, '2025-01-01T00:00Z');
COMMIT;
SELECT seq, occurred_at FROM postings;
