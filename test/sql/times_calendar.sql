-- Days are checked against the month: refused, not moved into the next month.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at) VALUES ('main', 'a', 'cash', 'rev', 1, '2026-02-29');
SELECT date('2026-02-29') IS NULL OR (SELECT occurred_at FROM transfers) = strftime('%Y-%m-%dT%H:%M:%fZ', '2026-02-29') || '' OR (SELECT substr(occurred_at, 1, 10) FROM transfers) = date('2026-02-29');
