-- talea_wait: the watermark at once when it is past, after the time otherwise.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
SELECT talea_wait('main', 1, 0), talea_wait('main', 0, 60000), talea_wait('main', 2, 0), talea_wait('main', 99, 1);
SELECT talea_wait('nobody', 0, 0);
SELECT talea_wait('nobody', 0, 20);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k', 'cash', 'rev', 1);
SELECT talea_wait('main', 2, 60000, 'talea');
SELECT talea_wait('main', 2, 60000, 'nobody');
SELECT talea_wait('main', -1, 0);
SELECT talea_wait('main', 0, -1);
SELECT talea_wait('main', 'x', 0);
SELECT talea_wait(NULL, 0, 0);
SELECT talea_wait('main', 0);
-- Catch up, then tail.
SELECT seq, kind FROM events WHERE book = 'main' AND seq > 1 ORDER BY seq;
