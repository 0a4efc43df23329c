-- A schema named talea that is the host's own is in the way; loading says so and touches nothing.
.open x.db
ATTACH 'mine.db' AS talea;
CREATE TABLE talea.t(x);
.load talea
INSERT INTO talea.t VALUES (1);
SELECT x FROM talea.t;
