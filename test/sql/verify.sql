-- verify reads every byte; only problems have a non-null problem.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k1', 'cash', 'rev', 10), ('main', 'k2', 'cash', 'rev', 10);
SELECT book, checked, problem FROM verify ORDER BY book;
SELECT count(*) FROM verify WHERE problem IS NOT NULL;
SELECT checked FROM verify WHERE book = 'main';
SELECT count(*) FROM verify WHERE book = 'nobody' AND problem IS NOT NULL;
