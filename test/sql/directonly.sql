-- Nothing stored in a database can reach talea_open and talea_close.
CREATE VIEW v AS SELECT talea_open('sneaky');
SELECT * FROM v;
CREATE VIEW v2 AS SELECT talea_close();
SELECT * FROM v2;
CREATE TABLE t(x);
CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT talea_open('sneaky'); END;
INSERT INTO t VALUES (1);
.shell unset LD_PRELOAD; ls -d sneaky 2>/dev/null | wc -l
