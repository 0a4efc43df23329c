-- rwc creates, rw and ro want it to exist, ro refuses writes.
SELECT talea_open('file:a?mode=rw');
SELECT talea_open('file:a?mode=ro');
.shell unset LD_PRELOAD; ls -d a 2>/dev/null | wc -l
SELECT talea_open('file:a?mode=rwc') IS NOT NULL;
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
SELECT talea_close() IS NULL OR 1;
SELECT talea_open('file:a?mode=rw') IS NOT NULL;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k1', 'cash', 'rev', 5);
SELECT talea_close() IS NULL OR 1;
SELECT talea_open('file:a?mode=ro') IS NOT NULL;
SELECT account, balance FROM balances ORDER BY account;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k2', 'cash', 'rev', 5);
INSERT INTO assets(asset, class, precision) VALUES ('EUR', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'x', 'USD', 'asset');
INSERT INTO events(book, idempotency_key, postings) VALUES ('main', 'k2', '[{"account":"cash","debit":1},{"account":"rev","credit":1}]');
INSERT INTO postings(book, idempotency_key, account, debit, credit) VALUES ('main', 'k2', 'cash', 1, NULL);
SELECT seq FROM events WHERE idempotency_key = 'k1';
SELECT count(*) FROM verify WHERE problem IS NOT NULL;
