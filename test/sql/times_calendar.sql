-- Days are checked against the month: refused, not moved into the next month as SQLite would.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
CREATE TEMP TABLE t(n INTEGER PRIMARY KEY, v);
INSERT INTO t(v) VALUES ('2026-02-29'), ('2026-02-30'), ('2026-04-31'), ('1900-02-29'), ('2026-02-31T00:00:00Z'), ('2000-02-29'), ('2024-02-29');
INSERT OR IGNORE INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at) SELECT 'main', 'k' || n, 'cash', 'rev', 1, v FROM t ORDER BY n;
SELECT v, status, error FROM results JOIN t USING (n) ORDER BY n;
