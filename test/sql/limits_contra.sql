-- Limits are on the normal side: a contra account, a clearing account, borders of 128 bits.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind, normal_side, min_balance) VALUES ('main', 'contra', 'USD', 'asset', 'credit', 0);
INSERT INTO accounts(book, account, asset, kind, min_balance, max_balance) VALUES ('main', 'clear', 'USD', 'clearing', -10, 10), ('main', 'world', 'USD', 'equity', '-170141183460469231731687303715884105728', '170141183460469231731687303715884105727');
SELECT min_balance, max_balance, typeof(min_balance) FROM accounts WHERE account = 'world';
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', '1', 'contra', 'world', 1);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', '1', 'world', 'contra', 1);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', '2', 'clear', 'world', 11);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', '2', 'world', 'clear', 11);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', '2', 'world', 'clear', 10);
SELECT account, balance FROM balances ORDER BY account;
