-- The fast path: two legs without JSON; every column read back.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO transfers(book, idempotency_key, debit, credit, asset, amount, occurred_at, external_refs, metadata)
  VALUES ('main', 'k1', 'cash', 'rev', 'USD', 100000, '2026-01-31 14:02', '["inv-1"]', '{"a": 1}');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k2', 'rev', 'cash', '40');
SELECT book, seq, txid, idempotency_key, debit, credit, asset, amount, occurred_at, external_refs, metadata FROM transfers ORDER BY seq;
SELECT typeof(amount), typeof(seq), typeof(at), typeof(txid) FROM transfers WHERE seq = 3;
SELECT at GLOB '20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z', abs(julianday(at) - julianday('now')) < 0.01 FROM transfers;
SELECT account, balance, debits, credits, updated_seq, display FROM balances ORDER BY account;
-- A draft of two legs is a transfer whatever form posted it; three legs are not.
INSERT INTO events(book, idempotency_key, postings) VALUES ('main', 'k3', '[{"account":"rev","credit":1},{"account":"cash","debit":1}]');
INSERT INTO events(book, idempotency_key, postings) VALUES ('main', 'k4', '[{"account":"rev","credit":2},{"account":"cash","debit":1},{"account":"cash","debit":1}]');
SELECT seq, idempotency_key, debit, credit, amount FROM transfers WHERE seq > 4;
-- Lookups.
SELECT seq FROM transfers WHERE book = 'main' AND idempotency_key = 'k2';
SELECT seq FROM transfers WHERE txid = (SELECT txid FROM transfers WHERE seq = 3);
SELECT seq FROM transfers WHERE debit = 'rev';
SELECT seq FROM transfers WHERE book = 'main' AND credit = 'rev' ORDER BY seq DESC;
SELECT seq FROM transfers WHERE debit = 'rev' AND credit = 'rev';
SELECT seq FROM transfers WHERE debit = 'cash' AND credit = 'rev' AND amount > 1;
