-- After talea_close every use fails with no_ledger, until opened again.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
SELECT talea_close() IS NULL OR 1;
SELECT * FROM balances;
INSERT INTO assets(asset, class, precision) VALUES ('EUR', 'fiat', 2);
SELECT talea_wait('main', 0, 0);
SELECT talea_open('shop.db-talea') IS NOT NULL;
SELECT asset FROM assets;
SELECT talea_close('talea') IS NULL OR 1;
SELECT * FROM assets;
