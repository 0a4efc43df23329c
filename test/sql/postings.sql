-- Journal lines: rows of one SQL transaction with one (book, key) form one draft.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'fee', 'USD', 'expense');
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k1', 'cash', 97, NULL), ('main', 'k1', 'fee', 3, NULL), ('main', 'k1', 'rev', NULL, 100);
SELECT book, seq, idx, txid, idempotency_key, account, asset, debit, credit, balance, occurred_at FROM postings;
-- Line by line, two drafts interleaved: each in the place of its first line.
BEGIN;
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k2', 'cash', 5, NULL);
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k3', 'fee', 7, NULL);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k4', 'cash', 'rev', 11);
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k3', 'cash', NULL, 7);
INSERT INTO postings(book, idempotency_key, account, credit, occurred_at) VALUES ('main', 'k2', 'rev', 5, '2025-06-01');
COMMIT;
SELECT n, idempotency_key, status, seq FROM results;
SELECT seq, idx, idempotency_key, account, debit, credit, balance, occurred_at FROM postings WHERE seq > 4 ORDER BY seq, idx;
-- The running balance does not depend on the order or the subset asked for.
SELECT seq, idx, balance FROM postings WHERE book = 'main' AND account = 'cash' ORDER BY seq DESC;
SELECT seq, balance FROM postings WHERE account = 'cash' AND seq BETWEEN 5 AND 6;
SELECT seq, idx, account, balance FROM postings WHERE book = 'main' AND seq = 6;
SELECT seq, idx, account, balance FROM postings ORDER BY seq DESC, idx DESC LIMIT 3;
-- The same lines again are the same draft.
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k1', 'cash', 97, NULL), ('main', 'k1', 'fee', 3, NULL), ('main', 'k1', 'rev', NULL, 100);
SELECT status, seq FROM results;
