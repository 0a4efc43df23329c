-- Borders of 64 and 128 bits, in every input path; what fits is INTEGER, the rest decimal TEXT.
INSERT INTO assets(asset, class, precision) VALUES ('W', 'fiat', 18);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'a', 'W', 'asset'), ('main', 'b', 'W', 'equity');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES
  ('main', '1', 'a', 'b', 1), ('main', '2', 'a', 'b', 9223372036854775806), ('main', '3', 'a', 'b', 9223372036854775807), ('main', '4', 'a', 'b', '9223372036854775807'),
  ('main', '5', 'a', 'b', '9223372036854775808'), ('main', '6', 'a', 'b', '18446744073709551616');
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', '7', 'a', '9223372036854775808', NULL), ('main', '7', 'b', NULL, '9223372036854775808');
INSERT INTO events(book, idempotency_key, postings) VALUES
  ('main', '8', '[{"account":"a","debit":9223372036854775807},{"account":"b","credit":"9223372036854775807"}]'),
  ('main', '9', '[{"account":"a","debit":9223372036854775808},{"account":"b","credit":"9223372036854775808"}]'),
  ('main', '10', '[{"account":"a","amount":{"minor":100000000000000000000000000000000000000},"direction":"debit"},{"account":"b","amount":{"minor":"100000000000000000000000000000000000000","asset":"W"},"direction":"credit"}]');
SELECT idempotency_key, amount, typeof(amount) FROM transfers ORDER BY seq;
SELECT debit, typeof(debit), balance, typeof(balance) FROM postings WHERE account = 'a' AND idempotency_key IN ('1', '2', '3') ORDER BY seq;
SELECT postings FROM events WHERE idempotency_key = '9';
-- The sum, computed elsewhere.
SELECT account, balance, typeof(balance), display FROM balances ORDER BY account;
SELECT talea_sum(amount) = (SELECT balance FROM balances WHERE account = 'a') FROM transfers;
