-- What SQLite's date functions refuse is refused, naming column and value.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
CREATE TEMP TABLE t(n INTEGER PRIMARY KEY, v);
INSERT INTO t(v) VALUES ('yesterday'), ('2026-13-01'), ('2026-00-01'), ('2026-01-32'), ('2026-01-31T25:00'), ('2026-01-31T14:60'), ('2026-01-31T14:02:60'), ('2026-1-31'), ('26-01-31'), (''), (' '), (x'323032362d30312d3331'), ('31.01.2026'), ('2026-01-31T14:02:03 +02'), ('2026-01-31Tx'), ('2026-01-31T14:02:03Zz'), ('12026-01-31'), (99999999), (-1);
INSERT OR IGNORE INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at) SELECT 'main', 'k' || n, 'cash', 'rev', 1, v FROM t ORDER BY n;
SELECT n, v, status FROM results JOIN t USING (n) WHERE status <> 'rejected' OR error <> 'invalid_draft';
SELECT count(*) FROM results;
SELECT message FROM results WHERE n IN (1, 12);
SELECT count(*) FROM transfers;
