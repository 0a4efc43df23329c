-- Two schemas on one directory are one ledger, however it is spelled.
SELECT talea_open('dir', 'a') IS NOT NULL, talea_open('./dir/../dir', 'b') IS NOT NULL;
INSERT INTO a.assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
SELECT asset FROM b.assets;
.shell unset LD_PRELOAD; ln -s dir link
SELECT talea_open('link', 'c') IS NOT NULL;
SELECT asset FROM c.assets;
INSERT INTO c.accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset');
SELECT account FROM a.accounts;
SELECT talea_close('a') IS NULL OR 1;
SELECT account FROM b.accounts;
