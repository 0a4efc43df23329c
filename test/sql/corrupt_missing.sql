-- A missing or shortened segment, and a foreign file in its place, are corruption, never an empty book.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k1', 'cash', 'rev', 1);
SELECT talea_close() IS NULL OR 1;
.shell unset LD_PRELOAD; cp shop.db-talea/books/main/segment-00000001.log keep
.shell unset LD_PRELOAD; rm shop.db-talea/books/main/segment-00000001.log
SELECT talea_open('shop.db-talea') IS NOT NULL;
SELECT count(*) FROM events WHERE book = 'main';
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'x', 'USD', 'asset');
SELECT talea_close() IS NULL OR 1;
.shell unset LD_PRELOAD; head -c 700 keep > shop.db-talea/books/main/segment-00000001.log
SELECT talea_open('shop.db-talea') IS NOT NULL;
SELECT count(*) FROM events WHERE book = 'main';
SELECT talea_close() IS NULL OR 1;
.shell unset LD_PRELOAD; cp shop.db-talea/books/_system/segment-00000001.log shop.db-talea/books/main/segment-00000001.log
SELECT talea_open('shop.db-talea') IS NOT NULL;
SELECT count(*) FROM events WHERE book = 'main';
SELECT talea_close() IS NULL OR 1;
.shell unset LD_PRELOAD; cat keep > shop.db-talea/books/main/segment-00000001.log
SELECT talea_open('shop.db-talea') IS NOT NULL;
SELECT balance FROM balances WHERE account = 'cash';
SELECT count(*) FROM verify WHERE problem IS NOT NULL;
