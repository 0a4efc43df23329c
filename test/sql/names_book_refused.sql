-- What is no book name.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES (printf('%.129c', 'x'), 'a', 'USD', 'asset');
INSERT INTO accounts(book, account, asset, kind) VALUES ('a' || char(10), 'a', 'USD', 'asset');
INSERT INTO accounts(book, account, asset, kind) VALUES (char(127), 'a', 'USD', 'asset');
INSERT INTO accounts(book, account, asset, kind) VALUES (char(31), 'a', 'USD', 'asset');
INSERT INTO accounts(book, account, asset, kind) VALUES (char(133), 'a', 'USD', 'asset');
INSERT INTO accounts(book, account, asset, kind) VALUES ('a' || char(0) || 'b', 'a', 'USD', 'asset');
INSERT INTO accounts(book, account, asset, kind) VALUES (CAST(x'ff' AS TEXT), 'a', 'USD', 'asset');
INSERT INTO accounts(book, account, asset, kind) VALUES (CAST(x'c080' AS TEXT), 'a', 'USD', 'asset');
INSERT INTO accounts(book, account, asset, kind) VALUES (CAST(x'eda080' AS TEXT), 'a', 'USD', 'asset');
INSERT INTO accounts(book, account, asset, kind) VALUES (CAST(x'f4908080' AS TEXT), 'a', 'USD', 'asset');
INSERT INTO accounts(book, account, asset, kind) VALUES (CAST(x'c3' AS TEXT), 'a', 'USD', 'asset');
INSERT INTO accounts(book, account, asset, kind) VALUES ('', 'a', 'USD', 'asset');
INSERT INTO accounts(book, account, asset, kind) VALUES ('_', 'a', 'USD', 'asset');
INSERT INTO accounts(book, account, asset, kind) VALUES (x'61', 'a', 'USD', 'asset');
SELECT book FROM books;
