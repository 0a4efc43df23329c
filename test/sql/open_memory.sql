-- mode=memory and :memory:: no file, gone with the last handle.
SELECT talea_open('file:one?mode=memory') IS NOT NULL;
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k1', 'cash', 'rev', 5);
SELECT account, balance, display FROM balances ORDER BY account;
SELECT count(*) FROM verify WHERE problem IS NOT NULL;
-- The same name joins it, from another schema.
SELECT talea_open('file:one?mode=memory', 'again') IS NOT NULL;
SELECT balance FROM again.balances WHERE account = 'cash';
SELECT talea_open('file:two?mode=memory') IS NOT NULL;
SELECT count(*) FROM talea.assets;
SELECT talea_open(':memory:') IS NOT NULL;
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
SELECT count(*) FROM talea.assets;
SELECT talea_open(':memory:') IS NOT NULL;
SELECT count(*) FROM talea.assets;
SELECT talea_close('again') IS NULL OR 1;
-- Its last handle is gone: the name is free again.
SELECT talea_open('file:one?mode=memory') IS NOT NULL;
SELECT count(*) FROM talea.assets;
.shell unset LD_PRELOAD; ls | grep -v '^shop.db' | wc -l
