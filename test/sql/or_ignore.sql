-- OR IGNORE for each way a draft can be refused, in every writable table.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT OR IGNORE INTO transfers(book, idempotency_key, debit, credit, amount) VALUES
  ('main', 'k1', 'cash', 'rev', 1), ('main', 'k2', 'cash', 'nobody', 1), ('main', 'k3', 'cash', 'rev', 1.5),
  ('main', NULL, 'cash', 'rev', 1), ('main', 'k1', 'cash', 'rev', 2), ('other', 'k5', 'cash', 'rev', 1), ('main', 'k6', 'cash', 'rev', 1);
SELECT n, book, idempotency_key, status, seq, error FROM results ORDER BY n;
INSERT OR IGNORE INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 3), ('EUR', 'fiat', 2), ('BTC', 'crypto', 8);
SELECT n, book, status, seq, error FROM results ORDER BY n;
INSERT OR IGNORE INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'expense'), ('main', 'x', 'EUR', 'asset'), ('main', 'y', 'XXX', 'asset');
SELECT n, book, status, seq, error FROM results ORDER BY n;
INSERT OR IGNORE INTO events(book, idempotency_key, postings) VALUES ('main', 'e1', '[{"account":"cash","debit":1}]'), ('main', 'e2', 'no'), ('main', 'e3', '[{"account":"cash","debit":1},{"account":"rev","credit":1}]'),
  ('main', 'e4', '[{"account":"cash","debit":1},{"account":"rev","credit":2}]');
SELECT n, idempotency_key, status, seq FROM results ORDER BY n;
SELECT error FROM results WHERE n = 4;
-- Journal lines: the draft is refused whole at COMMIT.
INSERT OR IGNORE INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'p1', 'cash', 1, NULL), ('main', 'p2', 'cash', 2, NULL), ('main', 'p1', 'rev', NULL, 1), ('main', 'p2', 'rev', NULL, 3);
SELECT idempotency_key, status, seq, error FROM results ORDER BY n;
