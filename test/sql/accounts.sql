-- Opening: kinds and their normal sides, contra accounts, limits, idempotence.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'a', 'USD', 'asset'), ('main', 'b', 'USD', 'liability'), ('main', 'c', 'USD', 'income'), ('main', 'd', 'USD', 'expense'), ('main', 'e', 'USD', 'equity'), ('main', 'f', 'USD', 'clearing');
INSERT INTO accounts(book, account, asset, kind, normal_side) VALUES ('main', 'g', 'USD', 'asset', 'credit');
INSERT INTO accounts(book, account, asset, kind, min_balance, max_balance) VALUES ('main', 'h', 'USD', 'liability', -500, '1000');
SELECT book, account, asset, kind, normal_side, min_balance, max_balance, opened_seq FROM accounts ORDER BY opened_seq;
SELECT opened_at = (SELECT at FROM events e WHERE e.book = a.book AND e.seq = a.opened_seq) FROM accounts a WHERE account = 'h';
-- Identical again is fine, also when the default is spelled out.
INSERT INTO accounts(book, account, asset, kind, normal_side) VALUES ('main', 'a', 'USD', 'asset', 'debit');
SELECT n, book, status, seq, txid, error FROM results;
INSERT INTO accounts(book, account, asset, kind, normal_side) VALUES ('main', 'a', 'USD', 'asset', 'credit');
INSERT INTO accounts(book, account, asset, kind, min_balance) VALUES ('main', 'a', 'USD', 'asset', 0);
INSERT INTO accounts(book, account, asset, kind, min_balance, max_balance) VALUES ('main', 'h', 'USD', 'liability', -500, 1001);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'a', 'USD', 'liability');
-- The same name in another book is another account.
INSERT INTO accounts(book, account, asset, kind) VALUES ('other', 'a', 'USD', 'liability');
SELECT book, kind, opened_seq FROM accounts WHERE account = 'a' ORDER BY book;
