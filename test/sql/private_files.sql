-- Directories are 0700, files 0600.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
.shell unset LD_PRELOAD; find shop.db-talea -type d ! -perm 700 | wc -l
.shell unset LD_PRELOAD; find shop.db-talea -type f ! -perm 600 | wc -l
.shell unset LD_PRELOAD; ls -d shop.db-talea/LOCK
