-- Bounds of a draft: documents, legs, keys.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, metadata) VALUES ('main', 'big', 'cash', 'rev', 1, '"' || printf('%.1048574c', 'x') || '"');
SELECT length(metadata) FROM transfers;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, metadata) VALUES ('main', 'bigger', 'cash', 'rev', 1, '"' || printf('%.1048575c', 'x') || '"');
INSERT INTO events(book, idempotency_key, postings) SELECT 'main', 'legs', json_group_array(json_object('account', iif(value % 2, 'cash', 'rev'), iif(value % 2, 'debit', 'credit'), 1)) FROM generate_series(1, 65536);
INSERT INTO events(book, idempotency_key, postings) SELECT 'main', 'legs', json_group_array(json_object('account', iif(value % 2, 'cash', 'rev'), iif(value % 2, 'debit', 'credit'), 1)) FROM generate_series(1, 65534);
SELECT count(*) FROM postings WHERE idempotency_key = 'legs';
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', printf('%.256c', 'k'), 'cash', 'rev', 5);
SELECT count(*) FROM verify WHERE problem IS NOT NULL;
