-- Same key, same content: deduplicated, with the first commit's seq, txid and at.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at, metadata) VALUES ('main', 'k1', 'cash', 'rev', 10, '2025-01-01', '{"a":1}');
CREATE TABLE first AS SELECT seq, txid, at FROM transfers;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at, metadata) VALUES ('main', 'k1', 'cash', 'rev', 10, '2025-01-01', '{"a":1}');
SELECT status, r.seq = f.seq, r.txid = f.txid, r.at = f.at FROM results r, first f;
SELECT last_insert_rowid();
-- In other words the same: blanks of JSON, another spelling of the time, amounts as text, another table.
INSERT INTO transfers(book, idempotency_key, debit, credit, asset, amount, occurred_at, metadata) VALUES ('main', 'k1', 'cash', 'rev', 'USD', '10', '2025-01-01T00:00:00Z', ' { "a" : 1 } ');
SELECT status, seq FROM results;
INSERT INTO events(book, idempotency_key, postings, occurred_at, metadata) VALUES ('main', 'k1', '[{"account":"cash","debit":10},{"account":"rev","credit":10}]', '2025-01-01 00:00', '{"a":1}');
SELECT status, seq FROM results;
-- Different: conflict, naming the first seq.
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at, metadata) VALUES ('main', 'k1', 'cash', 'rev', 11, '2025-01-01', '{"a":1}');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at, metadata) VALUES ('main', 'k1', 'rev', 'cash', 10, '2025-01-01', '{"a":1}');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, metadata) VALUES ('main', 'k1', 'cash', 'rev', 10, '{"a":1}');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at, metadata) VALUES ('main', 'k1', 'cash', 'rev', 10, '2025-01-01', '{"a":2}');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at, metadata, external_refs) VALUES ('main', 'k1', 'cash', 'rev', 10, '2025-01-01', '{"a":1}', '[]');
SELECT status, seq, error FROM results;
-- Keys differ by case and by book.
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'K1', 'cash', 'rev', 11);
SELECT status, seq FROM results;
SELECT balance FROM balances WHERE account = 'cash';
