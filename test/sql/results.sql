-- What became of each draft of the last SQL transaction: all three statuses, in order.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
SELECT n, book, idempotency_key, status, seq, txid, error, message FROM results;
INSERT INTO accounts(book, account, asset, kind, min_balance) VALUES ('main', 'cash', 'USD', 'asset', 0), ('main', 'rev', 'USD', 'income', NULL);
SELECT n, book, idempotency_key, status, seq, txid, error, message FROM results;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k1', 'cash', 'rev', 10);
INSERT OR IGNORE INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k2', 'cash', 'rev', 5), ('main', 'k1', 'cash', 'rev', 10), ('main', 'k3', 'rev', 'cash', 99), ('main', 'k4', 'nobody', 'cash', 1), ('main', 'k5', 'cash', 'rev', 1);
SELECT n, book, idempotency_key, status, seq, txid, error FROM results ORDER BY n;
SELECT message FROM results WHERE n IN (3, 4);
-- Sequence, transaction id and time are those of the log, the first commit's for a duplicate.
SELECT r.n FROM results r JOIN events e ON e.book = r.book AND e.seq = r.seq AND e.txid = r.txid AND e.at = r.at;
-- Reading does not change it.
SELECT count(*) FROM results;
-- After a failure: the draft at fault.
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k6', 'rev', 'cash', 99);
SELECT n, idempotency_key, status, seq, error FROM results;
-- A rollback: the drafts did not come to be.
BEGIN;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k7', 'cash', 'rev', 5);
ROLLBACK;
SELECT count(*) FROM results WHERE status <> 'rejected';
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k8', 'cash', 'rev', 5);
-- A SQL transaction without drafts does not count.
CREATE TABLE t(x);
INSERT INTO t VALUES (1);
SELECT idempotency_key, status, seq FROM results;
-- Inside a transaction that is still open the last one is shown.
BEGIN;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k9', 'cash', 'rev', 5);
SELECT idempotency_key, status, seq FROM results;
COMMIT;
SELECT idempotency_key, status, seq FROM results;
