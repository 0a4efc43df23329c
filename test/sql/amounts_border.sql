-- At the very end of 128 bits: one more is refused, nothing wraps.
INSERT INTO assets(asset, class, precision) VALUES ('W', 'fiat', 38);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'a', 'W', 'asset'), ('main', 'b', 'W', 'equity'), ('main', 'c', 'W', 'asset'), ('main', 'd', 'W', 'equity');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'max', 'a', 'b', '170141183460469231731687303715884105727');
SELECT account, balance, debits, display FROM balances WHERE account IN ('a', 'b') ORDER BY 1;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'over', 'c', 'd', '170141183460469231731687303715884105728');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'one', 'a', 'b', 1);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'one', 'a', 'd', 1);
INSERT INTO events(book, idempotency_key, postings) VALUES ('main', 'two', '[{"account":"c","debit":"170141183460469231731687303715884105727"},{"account":"c","debit":1},{"account":"d","credit":1}]');
INSERT INTO events(book, idempotency_key, postings) VALUES ('main', 'json', '[{"account":"c","debit":170141183460469231731687303715884105728},{"account":"d","credit":170141183460469231731687303715884105728}]');
INSERT INTO postings(book, idempotency_key, account, debit) VALUES ('main', 'line', 'c', '340282366920938463463374607431768211456');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'long', 'c', 'd', printf('%.400c', '9'));
SELECT * FROM trial_balance;
SELECT last_seq FROM books WHERE book = 'main';
-- Refused or summed, a trial balance must always be had: the total of the asset over its accounts.
INSERT OR IGNORE INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'max2', 'c', 'd', '170141183460469231731687303715884105727');
SELECT debits = credits FROM trial_balance;
SELECT count(*) FROM verify WHERE problem IS NOT NULL;
