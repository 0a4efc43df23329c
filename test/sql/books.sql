-- What a book is made of.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO accounts(book, account, asset, kind) VALUES ('b2', 'x', 'USD', 'asset'), ('b2', 'y', 'USD', 'equity');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('b2', '1', 'x', 'y', 10), ('b2', '2', 'x', 'y', 4);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('b2', '3', 'x', 'y', 10);
SELECT book, last_seq, accounts, transactions, segments, error FROM books ORDER BY book;
SELECT groups, units, sync_p50_us > 0, sync_p99_us >= sync_p50_us, log_bytes > 0, state IN ('open', 'idle'), snapshot_seq IS NULL OR snapshot_seq >= 0 FROM books WHERE book = 'b2';
SELECT last_at = (SELECT max(at) FROM events e WHERE e.book = b.book) FROM books b;
SELECT count(*) FROM books WHERE book = 'nobody';
.open other.db
.load talea
SELECT talea_open('shop.db-talea') IS NOT NULL;
SELECT last_seq, accounts, transactions FROM books WHERE book = 'b2';
