-- ROLLBACK leaves no trace: no sequence number, no key, no account, no asset.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
BEGIN;
INSERT INTO assets(asset, class, precision) VALUES ('EUR', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'euros', 'EUR', 'asset'), ('main', 'e2', 'EUR', 'equity');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k1', 'cash', 'rev', 1), ('main', 'k2', 'euros', 'e2', 1);
ROLLBACK;
SELECT count(*) FROM assets;
SELECT count(*) FROM accounts;
SELECT book, last_seq FROM books ORDER BY book;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k1', 'rev', 'cash', 9);
SELECT seq, debit, amount FROM transfers;
-- A rolled back first write of a book makes no book.
BEGIN;
INSERT INTO accounts(book, account, asset, kind) VALUES ('ghost', 'x', 'USD', 'asset');
ROLLBACK;
SELECT count(*) FROM books WHERE book = 'ghost';
SELECT count(*) FROM books;
SELECT count(*) FROM verify WHERE problem IS NOT NULL;
