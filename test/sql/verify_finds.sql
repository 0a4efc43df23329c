-- verify reads the log as the files have it, under an engine that is running.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k1', 'cash', 'rev', 1), ('main', 'k2', 'cash', 'rev', 2), ('main', 'k3', 'cash', 'rev', 3);
SELECT count(*) FROM verify WHERE problem IS NOT NULL;
.shell unset LD_PRELOAD; printf X | dd of=shop.db-talea/books/main/segment-00000001.log bs=1 seek=755 conv=notrunc 2>/dev/null
SELECT count(*) > 0 FROM verify WHERE book = 'main' AND problem IS NOT NULL;
SELECT count(*) FROM verify WHERE book <> 'main' AND problem IS NOT NULL;
SELECT count(*) FROM verify WHERE problem IS NOT NULL AND detail IS NULL;
