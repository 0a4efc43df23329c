-- One row per book and asset; always in balance.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO assets(asset, class, precision) VALUES ('EUR', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'e1', 'EUR', 'asset'), ('main', 'e2', 'EUR', 'equity');
INSERT INTO accounts(book, account, asset, kind) VALUES ('other', 'e1', 'EUR', 'asset'), ('other', 'e2', 'EUR', 'equity');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', '1', 'cash', 'rev', 10), ('main', '2', 'rev', 'cash', 4), ('main', '3', 'e1', 'e2', 7);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('other', '1', 'e1', 'e2', 9);
SELECT * FROM trial_balance ORDER BY book, asset;
SELECT * FROM trial_balance WHERE book = 'other';
SELECT * FROM trial_balance WHERE asset = 'EUR' ORDER BY book DESC;
SELECT * FROM trial_balance WHERE book = 'main' AND asset = 'USD';
SELECT * FROM trial_balance WHERE book = 'nobody';
SELECT t.asset, t.debits = (SELECT sum(debit) FROM postings p WHERE p.book = t.book AND p.asset = t.asset) FROM trial_balance t WHERE book = 'main' ORDER BY 1;
