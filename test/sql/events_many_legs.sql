-- Drafts with several legs and assets balance per asset.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO assets(asset, class, precision) VALUES ('EUR', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'fx-usd', 'USD', 'clearing'), ('main', 'fx-eur', 'EUR', 'clearing'), ('main', 'euros', 'EUR', 'asset');
INSERT INTO events(book, idempotency_key, postings) VALUES ('main', 'fx', '[{"account":"fx-usd","debit":110},{"account":"cash","credit":110},{"account":"euros","debit":100},{"account":"fx-eur","credit":100}]');
SELECT account, balance, display FROM balances WHERE asset = 'EUR' OR kind = 'clearing' ORDER BY account;
SELECT * FROM trial_balance ORDER BY asset;
-- In sum equal, per asset not.
INSERT INTO events(book, idempotency_key, postings) VALUES ('main', 'x', '[{"account":"cash","debit":5},{"account":"fx-eur","credit":5}]');
-- A thousand legs.
INSERT INTO events(book, idempotency_key, postings) SELECT 'main', 'wide', json_group_array(json_object('account', iif(value % 2, 'cash', 'rev'), iif(value % 2, 'debit', 'credit'), (value + 1) / 2)) FROM generate_series(1, 1000);
SELECT count(*), sum(debit), sum(credit), max(idx) FROM postings WHERE idempotency_key = 'wide';
SELECT json_array_length(postings) FROM events WHERE idempotency_key = 'wide';
