-- external_refs and metadata: any JSON, kept without blanks, never changed otherwise.
INSERT INTO assets(asset, class, precision) VALUES ('USD', 'fiat', 2);
INSERT INTO accounts(book, account, asset, kind) VALUES ('main', 'cash', 'USD', 'asset'), ('main', 'rev', 'USD', 'income');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, external_refs, metadata) VALUES
  ('main', '1', 'cash', 'rev', 1, ' [ ] ', ' { } '), ('main', '2', 'cash', 'rev', 1, '"x y"', 'null'), ('main', '3', 'cash', 'rev', 1, '12345678901234567890', '1.50'),
  ('main', '4', 'cash', 'rev', 1, '{"b":1,"a":2}', '{"a":{"b":[1, 2, {"c": null}]}}'), ('main', '5', 'cash', 'rev', 1, '"\u00e4"', '"ä"'), ('main', '6', 'cash', 'rev', 1, NULL, NULL);
SELECT external_refs, metadata FROM transfers ORDER BY seq;
SELECT idempotency_key FROM events WHERE metadata ->> '$.a.b[0]' = 1;
-- Blanks are not content, order of members is.
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, external_refs, metadata) VALUES ('main', '4', 'cash', 'rev', 1, '{ "b" : 1, "a" : 2 }', '{"a":{"b":[1,2,{"c":null}]}}');
SELECT status FROM results;
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, external_refs) VALUES ('main', '7', 'cash', 'rev', 1, '[1,]');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, external_refs) VALUES ('main', '7', 'cash', 'rev', 1, '');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, external_refs) VALUES ('main', '7', 'cash', 'rev', 1, x'5b5d');
