-- Books that begin with "_" are the ledger's own: readable, not writable.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
SELECT book, seq, kind FROM events WHERE book = '_system';
SELECT book, last_seq, accounts FROM books WHERE book = '_system';
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('_main', 'k', 'cash', 'rev', 1);
INSERT INTO events(book, idempotency_key, postings) VALUES ('_system', 'k', '[{"account":"cash","debit":1},{"account":"rev","credit":1}]');
INSERT INTO postings(book, idempotency_key, account, debit) VALUES ('_system', 'k', 'cash', 1);
INSERT INTO accounts(book, account, asset, kind) VALUES ('_system', 'x', 'USD', 'asset');
SELECT talea_wait('_system', 0, 0);
SELECT count(*) FROM balances WHERE book = '_system';
