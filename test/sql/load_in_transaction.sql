-- A first load inside an open transaction of the host: that transaction ends as the host says.
.open other.db
CREATE TABLE t(x);
BEGIN;
INSERT INTO t VALUES (1);
.load talea
SELECT count(*) FROM t;
SELECT count(*) FROM assets;
ROLLBACK;
SELECT count(*) FROM t;
-- Whatever the transaction did, the ledger can be used from here on, loaded again if need be.
.load talea
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
SELECT asset FROM assets;
.open third.db
BEGIN;
.load talea
INSERT INTO assets(asset, class, precision) VALUES ('EUR', 'fiat', 2);
COMMIT;
SELECT asset FROM assets;
