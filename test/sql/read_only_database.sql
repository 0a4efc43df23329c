-- A connection whose database is opened read-only writes the ledger all the same: it is no part of the database file.
CREATE TABLE t(x);
.open --readonly shop.db
.load talea
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
SELECT asset FROM assets;
INSERT INTO t VALUES (1);
.open shop.db
.load talea
SELECT asset FROM assets;
