-- Never rounded, never guessed: what is no whole number of minor units is refused in each input path.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
CREATE TEMP TABLE forms(v);
INSERT INTO forms VALUES (5.0), ('1e3'), (' 5'), ('5 '), ('+5'), (''), ('5.0'), ('0x10'), (x'35'), ('-5'), (-5), (0), ('0'), ('-0'), ('00'), ('five'), ('1_000'), ('1,000'), (1e300), (NULL), ('٣'), (9e999), ('--5'), ('-'), (-9223372036854775808), ('5' || char(0)), (5.5);
INSERT OR IGNORE INTO transfers(book, idempotency_key, debit, credit, amount) SELECT 'main', 't' || rowid, 'cash', 'rev', v FROM forms;
SELECT count(*), sum(status = 'rejected'), sum(error = 'invalid_amount') FROM results;
INSERT OR IGNORE INTO postings(book, idempotency_key, account, debit) SELECT 'main', 'p' || rowid, 'cash', v FROM forms WHERE v IS NOT NULL;
SELECT count(*), sum(status = 'rejected'), sum(error = 'invalid_amount') FROM results;
INSERT OR IGNORE INTO accounts(book, account, asset, kind, min_balance) SELECT 'main', 'a' || rowid, 'USD', 'asset', v FROM forms WHERE v IS NOT NULL;
SELECT idempotency_key, status, error, a.min_balance, a.account FROM results r JOIN accounts a ON a.book = r.book AND a.opened_seq = r.seq ORDER BY n;
SELECT count(*) FROM results WHERE status = 'rejected' AND error = 'invalid_amount';
SELECT message FROM results WHERE n IN (1, 2, 9);
SELECT count(*) FROM transfers;
