-- Registering: fiat and crypto, idempotent, immutable.
INSERT INTO assets(asset, class, precision, name) VALUES ('USD', 'fiat', 2, 'US Dollar');
SELECT * FROM assets;
INSERT INTO assets(asset, class, network, native_id, precision, name) VALUES ('USDC', 'crypto', 'ethereum', '0xa0b8', 6, 'USD Coin');
INSERT INTO assets(asset, class, network, precision) VALUES ('ETH', 'crypto', 'ethereum', 18);
INSERT INTO assets(asset, class, precision) VALUES ('JPY', 'fiat', 0);
INSERT INTO assets(asset, class, precision) VALUES ('X38', 'fiat', 38);
SELECT asset, class, network, native_id, precision, name FROM assets WHERE asset <> 'USD' ORDER BY asset;
-- Identical again is fine.
INSERT INTO assets(asset, class, precision, name) VALUES ('USD', 'fiat', 2, 'US Dollar');
SELECT n, book, idempotency_key, status, seq FROM results;
-- Different is not.
INSERT INTO assets(asset, class, precision, name) VALUES ('USD', 'fiat', 3, 'US Dollar');
INSERT INTO assets(asset, class, precision, name) VALUES ('USD', 'fiat', 2, 'Dollar');
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO assets(asset, class, network, precision, name) VALUES ('USD', 'crypto', 'x', 2, 'US Dollar');
-- Assets differ by case.
INSERT INTO assets(asset, class, precision) VALUES ('usd', 'fiat', 2);
SELECT count(*) FROM assets;
SELECT precision FROM assets WHERE asset = 'X38';
