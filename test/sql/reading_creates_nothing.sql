-- Reading never creates anything; the directory comes with the first write.
SELECT count(*) FROM assets UNION ALL SELECT count(*) FROM accounts UNION ALL SELECT count(*) FROM transfers UNION ALL SELECT count(*) FROM postings;
SELECT count(*) FROM events UNION ALL SELECT count(*) FROM balances UNION ALL SELECT count(*) FROM trial_balance UNION ALL SELECT count(*) FROM books;
SELECT count(*) FROM results;
SELECT count(*) FROM verify WHERE problem IS NOT NULL;
SELECT talea_wait('main', 0, 0);
.shell unset LD_PRELOAD; ls -d *-talea 2>/dev/null | wc -l
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
.shell unset LD_PRELOAD; ls -d *-talea
SELECT asset FROM assets;
