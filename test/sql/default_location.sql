-- shop.db -> shop.db-talea; another database has a ledger of its own; a URI with parameters means its file.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
.open other.db
.load talea
SELECT count(*) FROM assets;
INSERT INTO assets(asset, class, precision) VALUES ('EUR', 'fiat', 2);
.open file:shop.db?cache=private
.load talea
SELECT asset FROM assets;
.open other.db
.load talea
SELECT asset FROM assets;
.shell unset LD_PRELOAD; ls -d *-talea
