-- Damage in acknowledged history: that book refuses, naming book, segment and offset; others stay usable.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO accounts(book, account, asset, kind) VALUES ('b2', 'x', 'USD', 'asset'), ('b2', 'y', 'USD', 'equity');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k1', 'cash', 'rev', 1), ('main', 'k2', 'cash', 'rev', 2), ('main', 'k3', 'cash', 'rev', 3), ('main', 'k4', 'cash', 'rev', 4);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('b2', 'k1', 'x', 'y', 1);
SELECT talea_close() IS NULL OR 1;
.shell unset LD_PRELOAD; cp shop.db-talea/books/main/segment-00000001.log keep
.shell unset LD_PRELOAD; printf X | dd of=shop.db-talea/books/main/segment-00000001.log bs=1 seek=755 conv=notrunc 2>/dev/null
SELECT talea_open('shop.db-talea') IS NOT NULL;
SELECT * FROM balances WHERE book = 'main';
SELECT seq FROM events WHERE book = 'main';
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k5', 'cash', 'rev', 5);
-- A question of all books meets it, too: no wrong total.
SELECT sum(debits) FROM trial_balance;
SELECT balance FROM balances WHERE book = 'b2' AND account = 'x';
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('b2', 'k2', 'x', 'y', 2);
SELECT book, state, error LIKE '%corrupt%main%' FROM books WHERE book IN ('main', 'b2') ORDER BY 1;
SELECT problem IS NOT NULL FROM verify WHERE book = 'main';
SELECT count(*) FROM verify WHERE book = 'b2' AND problem IS NOT NULL;
-- Nothing was repaired or cut; what is put back by hand is recovered by opening again.
.shell unset LD_PRELOAD; cmp -l shop.db-talea/books/main/segment-00000001.log keep | wc -l
.shell unset LD_PRELOAD; cat keep > shop.db-talea/books/main/segment-00000001.log
SELECT talea_open('shop.db-talea') IS NOT NULL;
SELECT balance FROM balances WHERE book = 'main' AND account = 'cash';
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k5', 'cash', 'rev', 5);
SELECT last_seq, state, error FROM books WHERE book = 'main';
