-- What SQLite does not do with virtual tables, and where ours may not be made.
CREATE INDEX talea.i ON events(seq);
ALTER TABLE talea.events ADD COLUMN x;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 'k1', 'cash', 'rev', 10) ON CONFLICT DO NOTHING;
CREATE VIRTUAL TABLE main.mine USING talea_events;
CREATE VIRTUAL TABLE temp.mine USING talea_events;
SELECT count(*) FROM main.sqlite_schema;
