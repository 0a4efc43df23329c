-- With main in memory there is no default location: every use fails, and says what to do.
.open :memory:
.load talea
SELECT * FROM balances;
SELECT * FROM events;
SELECT * FROM books;
SELECT * FROM verify;
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k', 'a', 'b', 1);
SELECT talea_wait('main', 0, 0);
-- Functions that need no ledger work.
SELECT talea_decimal(12345, 2), talea_minor('1.5', 2);
-- Opened by hand, it is usable.
SELECT talea_open('by-hand') IS NOT NULL;
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
SELECT count(*) FROM assets;
.shell unset LD_PRELOAD; ls | grep -v '^shop.db'
