-- A small firm's books. Every transaction is committed by itself, in this order, so that times of commit differ;
-- the last one but one is dated back, the last one has no date of its own.
INSERT INTO assets(asset, class, precision) VALUES ('EUR', 'fiat', 2), ('USD', 'fiat', 2);
INSERT INTO assets(asset, class, network, precision) VALUES ('ETH', 'crypto', 'ethereum', 18);
INSERT INTO accounts(book, account, asset, kind) VALUES
  ('other', 'bank', 'EUR', 'asset'), ('other', 'capital', 'EUR', 'equity');
INSERT INTO accounts(book, account, asset, kind, normal_side) VALUES
  ('main', 'bank',         'EUR', 'asset',     NULL),
  ('main', 'equipment',    'EUR', 'asset',     NULL),
  ('main', 'depreciation', 'EUR', 'asset',     'credit'), -- contra: reduces assets
  ('main', 'never used',   'EUR', 'asset',     NULL),
  ('main', 'vat',          'EUR', 'liability', NULL),
  ('main', 'wallet:ana',   'EUR', 'liability', NULL),
  ('main', 'capital',      'EUR', 'equity',    NULL),
  ('main', 'drawings',     'EUR', 'equity',    'debit'), -- contra: reduces equity
  ('main', 'sales',        'EUR', 'income',    NULL),
  ('main', 'refunds',      'EUR', 'income',    'debit'), -- contra: reduces income
  ('main', 'rent',         'EUR', 'expense',   NULL),
  ('main', 'wear',         'EUR', 'expense',   NULL),
  ('main', 'fx:eur',       'EUR', 'clearing',  NULL),
  ('main', 'fx:usd',       'USD', 'clearing',  NULL),
  ('main', 'bank:usd',     'USD', 'asset',     NULL),
  ('main', 'vault',        'ETH', 'asset',     NULL),
  ('main', 'vault:owner',  'ETH', 'equity',    NULL),
  ('main', 'gas',          'ETH', 'expense',   NULL);

-- The last microsecond of 2024, the first of 2025, the last of January, the first of February.
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at)
  VALUES ('main', 't1', 'bank', 'capital', 1000000, '2024-12-31T23:59:59.999999Z');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at)
  VALUES ('main', 't2', 'equipment', 'bank', 300000, '2025-01-01');
INSERT INTO postings(book, idempotency_key, occurred_at, account, debit, credit) VALUES
  ('main', 't3', '2025-01-15 09:30', 'bank',  121000, NULL),
  ('main', 't3', NULL,               'sales', NULL,   100000),
  ('main', 't3', NULL,               'vat',   NULL,   21000);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at)
  VALUES ('main', 't4', 'rent', 'bank', 40000, '2025-01-31T23:59:59.999999Z');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at)
  VALUES ('main', 't5', 'bank', 'wallet:ana', 25000, '2025-02-01');
INSERT INTO postings(book, idempotency_key, occurred_at, account, debit, credit) VALUES
  ('main', 't6', '2025-02-10', 'refunds', 10000, NULL),
  ('main', 't6', NULL,         'vat',     2100,  NULL),
  ('main', 't6', NULL,         'bank',    NULL,  12100);
-- 600 dollars for 550 euros: two assets, each balanced by a clearing account.
INSERT INTO postings(book, idempotency_key, occurred_at, account, debit, credit) VALUES
  ('main', 't7', '2025-02-15', 'fx:eur',   55000, NULL),
  ('main', 't7', NULL,         'bank',     NULL,  55000),
  ('main', 't7', NULL,         'bank:usd', 60000, NULL),
  ('main', 't7', NULL,         'fx:usd',   NULL,  60000);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at)
  VALUES ('main', 't8', 'wear', 'depreciation', 25000, '2025-03-31');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at)
  VALUES ('main', 't9', 'drawings', 'bank', 50000, '2025-03-31 23:59:59.999');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at)
  VALUES ('main', 't10', 'wallet:ana', 'sales', 4000, '2025-04-01');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at)
  VALUES ('main', 't11', 'vault', 'vault:owner', '120000000000000000000000001', '2025-01-20');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at)
  VALUES ('main', 't12', 'gas', 'vault', '20000000000000000000000002', '2025-02-20');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at)
  VALUES ('main', 't13', 'bank', 'sales', 20000, '2024-12-15');
INSERT INTO transfers(book, idempotency_key, debit, credit, amount) VALUES ('main', 't14', 'bank', 'sales', 500);
INSERT INTO transfers(book, idempotency_key, debit, credit, amount, occurred_at)
  VALUES ('other', 't1', 'bank', 'capital', 99900, '2025-01-02');
