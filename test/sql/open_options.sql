-- Every tunable at its borders.
SELECT talea_open('file:a?segment_max=65536&snapshot_every=0&idem_hot_cap=1&queue_depth=1&group_max=1') IS NOT NULL;
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k1', 'cash', 'rev', 1), ('main', 'k2', 'cash', 'rev', 2);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k1', 'cash', 'rev', 1);
SELECT status, seq FROM results;
SELECT talea_close() IS NULL OR 1;
SELECT talea_open('file:b?segment_max=1073741824&snapshot_every=1&queue_depth=4096&group_max=1024') IS NOT NULL;
SELECT talea_open('file:c?mode=rwc&snapshot_every=100000&idem_hot_cap=1000000&segment_max=134217728') IS NOT NULL;
