-- occurred_at: what SQLite's date functions accept, kept as UTC with six digits.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
CREATE TEMP TABLE t(n INTEGER PRIMARY KEY, v);
INSERT INTO t(v) VALUES ('2026-01-31'), ('2026-01-31 14:02'), ('2026-01-31T14:02'), ('2026-01-31 14:02:03'), ('2026-01-31T14:02:03Z'), ('2026-01-31T14:02:03.5Z'), ('2026-01-31T14:02:03.123456Z'),
  ('2026-01-31T14:02:03.1234567Z'), ('2026-01-31T14:02:03+02:00'), ('2026-01-01 00:30-01:00'), ('2024-02-29'), ('0000-01-01'), ('9999-12-31T23:59:59.999999Z'), ('2026-01-31T14:02:03.123456+00:00'), ('1969-12-31T23:59:59.999999Z');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at) SELECT 'main', n, 'cash', 'rev', 1, v FROM t WHERE 0;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at) SELECT 'main', 'k' || n, 'cash', 'rev', 1, v FROM t ORDER BY n;
SELECT v, occurred_at FROM t JOIN transfers ON idempotency_key = 'k' || n ORDER BY n;
-- Further forms of the date functions: Julian day numbers, and 'now'.
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at) VALUES ('main', 'j1', 'cash', 'rev', 1, 2460000.5), ('main', 'j2', 'cash', 'rev', 1, 2460000), ('main', 'now', 'cash', 'rev', 1, 'now'), ('main', 'null', 'cash', 'rev', 1, NULL);
SELECT idempotency_key, occurred_at FROM transfers WHERE idempotency_key GLOB 'j*' OR idempotency_key = 'null' ORDER BY seq;
SELECT abs(julianday(occurred_at) - julianday('now')) < 0.01 FROM transfers WHERE idempotency_key = 'now';
-- Text order is time order, and SQLite's functions read what is shown.
SELECT count(*) FROM transfers WHERE occurred_at IS NOT NULL AND julianday(occurred_at) IS NULL AND occurred_at < '9999-12-31T23:59:59.9';
