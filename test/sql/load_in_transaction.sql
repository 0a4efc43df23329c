-- A first load inside an open transaction of the host, with a table of the host changed in it.
.open other.db
CREATE TABLE t(x);
BEGIN;
INSERT INTO t VALUES (1);
.load talea
SELECT count(*) FROM t;
ROLLBACK;
SELECT count(*) FROM t;
-- Whatever the transaction did, the ledger can be used from here on.
.load talea
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
SELECT asset FROM assets;
