-- Both JSON forms, and what the log shows of each kind of event.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO events(book, idempotency_key, postings) VALUES ('main', 'k1', '[{"account":"cash","debit":100},{"account":"rev","credit":100}]');
INSERT INTO events(book, idempotency_key, occurred_at, postings, external_refs, metadata) VALUES ('main', 'k2', '2026-02-03T04:05:06.789Z',
  '[{"account":"cash","amount":{"minor":70,"asset":"USD"},"direction":"debit"}, {"account":"rev","amount":{"minor":"70"},"direction":"credit"}]',
  '{"invoice" : "7"}', '[1, 2]');
SELECT book, seq, kind, txid, idempotency_key, occurred_at, postings, external_refs, metadata, definition FROM events WHERE book = 'main' ORDER BY seq;
SELECT book, seq, kind, definition FROM events WHERE book = '_system';
-- The JSON that is read can be posted again.
INSERT INTO events(book, idempotency_key, postings) SELECT book, 'again', postings FROM events WHERE idempotency_key = 'k1';
SELECT status, seq FROM results;
SELECT json_extract(value, '$.debit'), json_extract(value, '$.credit') FROM events, json_each(postings) WHERE idempotency_key = 'again';
SELECT e.seq, sum(p.value ->> 'debit') FROM events e, json_each(e.postings) p WHERE e.book = 'main' AND e.kind = 'transaction_posted' GROUP BY e.seq;
