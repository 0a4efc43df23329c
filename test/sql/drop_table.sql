-- Dropping a table of ours never touches the ledger's files.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
DROP TABLE talea.events;
SELECT account FROM accounts ORDER BY 1;
SELECT count(*) FROM talea.events;
.open other.db
.load talea
SELECT talea_open('shop.db-talea') IS NOT NULL;
SELECT count(*) FROM events;
SELECT count(*) FROM verify WHERE problem IS NOT NULL;
