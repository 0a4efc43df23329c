-- A first load inside an open transaction is refused with words, and leaves the transaction alone.
.open other.db
CREATE TABLE t(x);
BEGIN;
INSERT INTO t VALUES (1);
.load talea
COMMIT;
SELECT count(*) FROM t;
.load talea
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
SELECT asset FROM assets;
