-- Every kind reads positive on its own side; contra accounts turn it round; clearing has no side.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2), ('JPY', 'fiat', 0), ('ETH', 'fiat', 18);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'asset', 'USD', 'asset'), ('main', 'liability', 'USD', 'liability'), ('main', 'income', 'USD', 'income'), ('main', 'expense', 'USD', 'expense'), ('main', 'equity', 'USD', 'equity'), ('main', 'clearing', 'USD', 'clearing');
INSERT INTO accounts(book, account, asset, kind, normal_side) VALUES ('main', 'contra', 'USD', 'asset', 'credit'), ('main', 'sideless', 'USD', 'income', 'none');
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'yen', 'JPY', 'asset'), ('main', 'yen2', 'JPY', 'equity'), ('main', 'wei', 'ETH', 'asset'), ('main', 'wei2', 'ETH', 'equity');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', '1', 'asset', 'liability', 100), ('main', '2', 'asset', 'income', 20), ('main', '3', 'expense', 'asset', 3), ('main', '4', 'asset', 'equity', 4000), ('main', '5', 'asset', 'clearing', 50), ('main', '6', 'asset', 'contra', 6), ('main', '7', 'asset', 'sideless', 7), ('main', '8', 'yen', 'yen2', 8), ('main', '9', 'wei2', 'wei', 9);
SELECT book, account, asset, kind, balance, debits, credits, updated_seq, display FROM balances ORDER BY account;
SELECT display FROM balances WHERE book = 'main' AND account = 'asset';
SELECT count(*) FROM balances WHERE account = 'nobody';
-- An account without postings: zero, updated when it was opened, never "-0.00".
INSERT INTO accounts(book, account, asset, kind, normal_side) VALUES ('main', 'new', 'USD', 'asset', 'credit');
SELECT balance, debits, credits, updated_seq, display FROM balances WHERE account = 'new';
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', '10', 'clearing', 'asset', 50);
SELECT balance, display FROM balances WHERE account = 'clearing';
