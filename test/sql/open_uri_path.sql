-- The path of a URI is decoded; a plain path is not.
SELECT talea_open('file:a%20b?mode=rwc') IS NOT NULL;
SELECT talea_open('c%20d') IS NOT NULL;
SELECT talea_open('file:e?') IS NOT NULL;
SELECT talea_open('file:./f#fragment') IS NOT NULL;
SELECT talea_open('g?mode=ro') IS NOT NULL;
.shell unset LD_PRELOAD; ls | grep -v '^shop.db' | LC_ALL=C sort
