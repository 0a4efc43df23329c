-- Small segments and frequent snapshots: everything reads the same, before and after reopening.
SELECT talea_open('file:led?segment_max=65536&snapshot_every=100') IS NOT NULL;
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO transfers(book, idempotency_key, debit, credit, amount, metadata) SELECT 'main', 'k' || i, 'cash', 'rev', i, '{"n":' || i || '}' FROM n WHERE i <= 1000;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO transfers(book, idempotency_key, debit, credit, amount, metadata) SELECT 'main', 'k' || i, 'cash', 'rev', i, '{"n":' || i || '}' FROM n WHERE i > 1000 AND i <= 2000;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO transfers(book, idempotency_key, debit, credit, amount, metadata) SELECT 'main', 'k' || i, 'cash', 'rev', i, '{"n":' || i || '}' FROM n WHERE i > 2000;
CREATE TABLE before AS SELECT seq, at, txid, postings FROM events WHERE book = 'main';
SELECT segments > 1, transactions FROM books WHERE book = 'main';
SELECT account, balance FROM balances ORDER BY 1;
SELECT talea_close() IS NULL OR 1;
SELECT talea_open('led') IS NOT NULL;
SELECT count(*) FROM (SELECT seq, at, txid, postings FROM events WHERE book = 'main' EXCEPT SELECT * FROM before);
SELECT count(*) FROM before b JOIN events e ON e.book = 'main' AND e.seq = b.seq AND e.at = b.at AND e.txid IS b.txid;
SELECT account, balance FROM balances WHERE as_of_seq = 1002 ORDER BY 1;
SELECT book, checked, problem FROM verify ORDER BY 1;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, metadata) VALUES ('main', 'k17', 'cash', 'rev', 17, '{"n":17}');
SELECT status, seq FROM results;
