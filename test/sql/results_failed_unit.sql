-- A unit that fails whole: the draft at fault is named, its batchmates are not reported as committed.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind, min_balance) VALUES ('main', 'cash', 'USD', 'asset', 0), ('main', 'rev', 'USD', 'income', NULL);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'a', 'cash', 'rev', 1), ('main', 'b', 'rev', 'cash', 2), ('main', 'c', 'cash', 'rev', 3);
SELECT count(*) FROM results WHERE status IN ('committed', 'deduplicated');
SELECT n, idempotency_key, status, message FROM results;
SELECT last_seq FROM books WHERE book = 'main';
-- Nothing burned.
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'a', 'cash', 'rev', 1);
SELECT last_insert_rowid();
