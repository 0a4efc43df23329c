-- Account, asset and key names follow the same rule; an underscore in front is free there.
INSERT INTO assets(asset, class, precision) VALUES ('_USD', 'fiat', 2), ('ü/ö', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', '_a', '_USD', 'asset'), ('main', 'Assets:Bank:Giro', '_USD', 'asset'), ('main', ' ', 'ü/ö', 'asset'), ('main', printf('%.128c', 'x'), '_USD', 'asset');
SELECT length(account) FROM accounts ORDER BY opened_seq;
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', printf('%.129c', 'x'), '_USD', 'asset');
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'a' || char(9), '_USD', 'asset');
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', CAST(x'ff' AS TEXT), '_USD', 'asset');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', printf('%.255c', 'k'), '_a', 'Assets:Bank:Giro', 1);
SELECT length(idempotency_key) FROM transfers WHERE idempotency_key = printf('%.255c', 'k');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'ключ 🔑', '_a', 'Assets:Bank:Giro', 1);
SELECT idempotency_key, seq FROM transfers WHERE idempotency_key = 'ключ 🔑';
SELECT count(*) FROM transfers WHERE idempotency_key = 'ключ';
