-- Book names: 1..128 bytes of UTF-8 without control characters; none leaves the directory, case counts.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
CREATE TEMP TABLE n(id INTEGER PRIMARY KEY, name);
INSERT INTO n(name) VALUES ('A'), ('a'), ('../x'), ('a/b'), ('.'), ('..'), ('%41'), ('/etc'), ('x y'), ('c:\d'), ('NUL'), ('-rf'), ('"q"'), ('ä'), ('Ä'), ('🦀'), ('LOCK'), ('a.'), ('*'), ('1'), ('~'), (printf('%.128c', 'x')), (printf('%.128c', 'X')), (replace(printf('%.32c', 'x'), 'x', '🦀'));
-- One SQL transaction writes one book, so one statement each.
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 1;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 2;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 3;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 4;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 5;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 6;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 7;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 8;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 9;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 10;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 11;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 12;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 13;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 14;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 15;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 16;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 17;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 18;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 19;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 20;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 21;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 22;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 23;
INSERT INTO accounts(book, account, asset, kind) SELECT name, 'acct', 'USD', 'asset' FROM n WHERE id = 24;
SELECT count(*), sum(last_seq) FROM books JOIN n ON name = book;
SELECT count(*) FROM n JOIN accounts a ON a.book = n.name;
SELECT id FROM n WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.book = n.name AND e.seq = 1);
-- Read back from the files: another connection, the engine closed between.
.open other.db
.load talea
SELECT talea_open('shop.db-talea') IS NOT NULL;
SELECT count(*) FROM books;
SELECT book FROM books WHERE length(book) < 4 ORDER BY book;
SELECT count(*) FROM verify WHERE problem IS NOT NULL;
-- All of it is inside the ledger's directory, and no two names differ by case alone.
.shell unset LD_PRELOAD; ls | grep -v '[.]db$' | sort
.shell unset LD_PRELOAD; find shop.db-talea | tr 'A-Z' 'a-z' | sort | uniq -d | wc -l
