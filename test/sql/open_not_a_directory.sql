-- A file in the way, and a directory whose parent is missing, fail with words.
.shell unset LD_PRELOAD; echo hello > plain
SELECT talea_open('plain');
SELECT talea_open('missing/deeper/ledger');
.shell unset LD_PRELOAD; cat plain
-- What was open before stays open.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
SELECT talea_open('plain');
SELECT count(*) FROM accounts;
