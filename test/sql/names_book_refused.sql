-- What is no book name: empty, too long, control characters, ill-formed UTF-8, no TEXT.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
CREATE TEMP TABLE n(n INTEGER PRIMARY KEY, what, name);
INSERT INTO n(what, name) VALUES ('empty', ''), ('129 bytes', printf('%.129c', 'x')), ('129 bytes of UTF-8', replace(printf('%.32c', 'x'), 'x', '🦀') || 'x'), ('newline', 'a' || char(10)), ('escape', char(27)),
  ('delete', char(127)), ('C1 control', char(133)), ('C1 control', char(159)), ('NUL inside', 'a' || char(0) || 'b'), ('stray byte', CAST(x'ff' AS TEXT)), ('overlong', CAST(x'c080' AS TEXT)), ('overlong', CAST(x'e080af' AS TEXT)),
  ('surrogate', CAST(x'eda080' AS TEXT)), ('past U+10FFFF', CAST(x'f4908080' AS TEXT)), ('cut short', CAST(x'61c3' AS TEXT)), ('continuation', CAST(x'80' AS TEXT)), ('NULL', NULL), ('INTEGER', 7), ('REAL', 7.5), ('BLOB', x'61'), ('reserved', '_'), ('reserved', '_system'), ('reserved', '_books');
INSERT OR IGNORE INTO accounts(book, account, asset, kind) SELECT name, 'a', 'USD', 'asset' FROM n ORDER BY n;
SELECT what, status, error FROM n LEFT JOIN results USING (n) ORDER BY n;
SELECT book FROM books;
-- Beside them, the longest that is one.
INSERT INTO accounts(book, account, asset, kind) SELECT replace(printf('%.32c', 'x'), 'x', '🦀'), 'a', 'USD', 'asset';
SELECT length(book), length(CAST(book AS BLOB)) FROM books WHERE book <> '_system';
