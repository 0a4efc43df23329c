-- The ledger is found by identity: a link to the database leads to the same ledger.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
CREATE TABLE t(x);
.shell unset LD_PRELOAD; ln -s shop.db link.db
.shell unset LD_PRELOAD; mkdir sub
.shell unset LD_PRELOAD; ln -s ../shop.db sub/shop.db
.open link.db
.load talea
SELECT asset FROM assets;
.open sub/../sub/shop.db
.load talea
SELECT account FROM accounts ORDER BY 1;
.shell unset LD_PRELOAD; ls -d *-talea sub/*-talea 2>/dev/null; true
