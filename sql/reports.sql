-- reports.sql: statements of account, trial balance, balance sheet, income statement, activity.
--
--     sqlite3 -cmd '.load talea' -cmd '.read sql/reports.sql' shop.db
--     UPDATE report SET first = '2026-01-01', last = '2026-03-31';
--     SELECT * FROM report_balance_sheet;
--
-- docs/REPORTS.md explains and shows them. Everything here is TEMP: nothing is written to the database
-- or to the ledger, and all of it is gone when the connection ends. It may be read again, which sets
-- the parameters back.
--
-- How it is done. Amounts have 128 bits, so no + and - and no comparison touches them: they are added
-- by talea_sum() only, and negated as text; = 0 is safe, for a TEXT never equals it. "net" means
-- debits - credits, whatever the normal side. Two views at the bottom know where figures come from,
-- for either basis: report_entry (single postings, what came before the period marked `before`) and
-- report_total (an account's sums). The reports know nothing of that. CROSS JOIN is SQLite's way to
-- say that the left side comes first, so that book, account and times are at hand when a table of the
-- ledger is asked. report_statement has no GROUP BY and one window for each account: so SQLite can
-- carry `WHERE account = ..` down to the postings.

DROP VIEW IF EXISTS temp.report_late;
DROP VIEW IF EXISTS temp.report_equation;
DROP VIEW IF EXISTS temp.report_balance_sheet;
DROP VIEW IF EXISTS temp.report_income;
DROP VIEW IF EXISTS temp.report_trial_balance;
DROP VIEW IF EXISTS temp.report_activity;
DROP VIEW IF EXISTS temp.report_turnover;
DROP VIEW IF EXISTS temp.report_statement;
DROP VIEW IF EXISTS temp.report_account;
DROP VIEW IF EXISTS temp.report_total;
DROP VIEW IF EXISTS temp.report_entry;
DROP VIEW IF EXISTS temp.report_effective;
DROP VIEW IF EXISTS temp.report_instant;
DROP VIEW IF EXISTS temp.report_kind;
DROP TABLE IF EXISTS temp.report;

-- ---- Parameters ------------------------------------------------------------------------------------

-- One row. first and last both belong to the period. Each is a day (UTC, all of it) or an instant as
-- the ledger shows it; NULL is the beginning, or the end, of time.
CREATE TEMP TABLE report(
    book  TEXT,
    first TEXT,
    last  TEXT,
    basis TEXT NOT NULL DEFAULT 'effective' CHECK (basis IN ('effective', 'committed')),
    as_of TEXT, -- leave out what was committed later
    every TEXT NOT NULL DEFAULT 'month' CHECK (every IN ('month', 'quarter', 'year')),
    -- Computed: the same as instants, first and last microsecond.
    first_at TEXT AS (CASE WHEN length(first) = 10 THEN first || 'T00:00:00.000000Z'
                           ELSE coalesce(first, '0000-01-01T00:00:00.000000Z') END),
    last_at  TEXT AS (CASE WHEN length(last) = 10 THEN last || 'T23:59:59.999999Z'
                           ELSE coalesce(last, '9999-12-31T23:59:59.999999Z') END),
    as_of_at TEXT AS (CASE WHEN length(as_of) = 10 THEN as_of || 'T23:59:59.999999Z'
                           ELSE coalesce(as_of, '9999-12-31T23:59:59.999999Z') END),
    CONSTRAINT "first is a day, 2026-01-31, or an instant, 2026-01-31T14:02:00.000000Z"
        CHECK (CASE WHEN first_at GLOB '????-??-??T??:??:??.[0-9][0-9][0-9][0-9][0-9][0-9]Z'
                    THEN strftime('%Y-%m-%dT%H:%M:%S', substr(first_at, 1, 19), '+0 days') IS substr(first_at, 1, 19)
                    ELSE 0 END),
    CONSTRAINT "last is a day, 2026-01-31, or an instant, 2026-01-31T14:02:00.000000Z"
        CHECK (CASE WHEN last_at GLOB '????-??-??T??:??:??.[0-9][0-9][0-9][0-9][0-9][0-9]Z'
                    THEN strftime('%Y-%m-%dT%H:%M:%S', substr(last_at, 1, 19), '+0 days') IS substr(last_at, 1, 19)
                    ELSE 0 END),
    CONSTRAINT "as_of is a day, 2026-01-31, or an instant, 2026-01-31T14:02:00.000000Z"
        CHECK (CASE WHEN as_of_at GLOB '????-??-??T??:??:??.[0-9][0-9][0-9][0-9][0-9][0-9]Z'
                    THEN strftime('%Y-%m-%dT%H:%M:%S', substr(as_of_at, 1, 19), '+0 days') IS substr(as_of_at, 1, 19)
                    ELSE 0 END),
    CONSTRAINT "first is not after last" CHECK (first_at <= last_at)
);

-- The ledger's only book, if it has only one.
INSERT INTO temp.report DEFAULT VALUES;
UPDATE temp.report
SET book = (SELECT CASE WHEN count(*) = 1 THEN min(book) END FROM talea.books WHERE substr(book, 1, 1) <> '_');

-- An empty report would look like a true one.
CREATE TEMP TRIGGER report_book BEFORE UPDATE OF book ON report
WHEN NOT EXISTS (SELECT 1 FROM talea.books WHERE book = new.book) BEGIN
    SELECT raise(ABORT, 'report: the ledger has no such book');
END;
CREATE TEMP TRIGGER report_insert BEFORE INSERT ON report BEGIN
    SELECT raise(ABORT, 'report has one row, for good: UPDATE it');
END;
CREATE TEMP TRIGGER report_delete BEFORE DELETE ON report BEGIN
    SELECT raise(ABORT, 'report has one row, for good: UPDATE it');
END;

-- ---- Where figures come from -------------------------------------------------------------------------

-- Accounts just before the period (before = 1) and at its end (before = 0), by time of commit: the
-- ledger answers that without reading postings. Two rows each, one a side; `minus` is -amount.
CREATE TEMP VIEW report_instant AS
SELECT b.account, 1 AS before, side,
       iif(side = 'debit', b.debits, b.credits) AS amount,
       CASE iif(side = 'debit', b.debits, b.credits) WHEN 0 THEN 0
            ELSE '-' || iif(side = 'debit', b.debits, b.credits) END AS minus
FROM temp.report AS r
CROSS JOIN talea.balances AS b
CROSS JOIN (SELECT 'debit' AS side UNION ALL SELECT 'credit')
WHERE r.basis = 'committed' AND b.book = r.book AND b.as_of = r.as_of_at
  AND b.as_of_seq = (SELECT e.seq FROM talea.events AS e
                      WHERE e.book = r.book AND e.at < r.first_at ORDER BY e.seq DESC LIMIT 1)
UNION ALL
SELECT b.account, 0, side,
       iif(side = 'debit', b.debits, b.credits),
       CASE iif(side = 'debit', b.debits, b.credits) WHEN 0 THEN 0
            ELSE '-' || iif(side = 'debit', b.debits, b.credits) END
FROM temp.report AS r
CROSS JOIN talea.balances AS b
CROSS JOIN (SELECT 'debit' AS side UNION ALL SELECT 'credit')
WHERE r.basis = 'committed' AND b.book = r.book AND b.as_of = min(r.last_at, r.as_of_at);

-- By effective date: every posting up to the end of the period. No index leads there: the book is read once.
CREATE TEMP VIEW report_effective AS
SELECT p.account, coalesce(p.occurred_at, p.at) < r.first_at AS before, coalesce(p.occurred_at, p.at) AS dated,
       p.seq, p.idx, p.idempotency_key AS key, p.debit, p.credit, coalesce(p.debit, '-' || p.credit) AS net
FROM temp.report AS r CROSS JOIN talea.postings AS p
WHERE r.basis = 'effective' AND p.book = r.book AND p.at <= r.as_of_at
  AND coalesce(p.occurred_at, p.at) <= r.last_at;

-- Postings, dated by the basis. By time of commit, what was before the period comes as sums.
CREATE TEMP VIEW report_entry AS
SELECT * FROM report_effective
UNION ALL
SELECT p.account, 0, p.at, p.seq, p.idx, p.idempotency_key, p.debit, p.credit, coalesce(p.debit, '-' || p.credit)
FROM temp.report AS r CROSS JOIN talea.postings AS p
WHERE r.basis = 'committed' AND p.book = r.book AND p.at >= r.first_at AND p.at <= min(r.last_at, r.as_of_at)
UNION ALL
SELECT account, 1, NULL, NULL, NULL, NULL, NULL, NULL, iif(side = 'debit', amount, minus)
FROM report_instant
WHERE before AND amount <> 0;

-- Accounts that have postings: net before the period; its debits, credits and net; net at its end.
CREATE TEMP VIEW report_total AS
SELECT account, coalesce(talea_sum(net) FILTER (WHERE before), 0) AS opening,
       coalesce(talea_sum(debit) FILTER (WHERE NOT before), 0) AS debits,
       coalesce(talea_sum(credit) FILTER (WHERE NOT before), 0) AS credits,
       coalesce(talea_sum(net) FILTER (WHERE NOT before), 0) AS movement,
       talea_sum(net) AS closing
FROM report_effective
GROUP BY account
UNION ALL
SELECT account, coalesce(talea_sum(iif(side = 'debit', amount, minus)) FILTER (WHERE before), 0),
       coalesce(talea_sum(iif(before, minus, amount)) FILTER (WHERE side = 'debit'), 0),
       coalesce(talea_sum(iif(before, minus, amount)) FILTER (WHERE side = 'credit'), 0),
       talea_sum(iif(before = (side = 'debit'), minus, amount)),
       talea_sum(iif(side = 'debit', amount, minus)) FILTER (WHERE NOT before)
FROM report_instant
WHERE amount <> 0
GROUP BY account;

-- Kinds in the order of reports.
CREATE TEMP VIEW report_kind(kind, place) AS
VALUES ('asset', 1), ('liability', 2), ('equity', 3), ('income', 4), ('expense', 5), ('clearing', 6);

-- The same with what accounts and assets say, and the nets from the credit side, too.
CREATE TEMP VIEW report_account AS
SELECT t.*, a.asset, a.kind, k.place, a.normal_side,
       (SELECT precision FROM talea.assets WHERE asset = a.asset) AS precision,
       CASE WHEN t.opening = 0 THEN 0 WHEN t.opening LIKE '-%' THEN substr(t.opening, 2)
            ELSE '-' || t.opening END AS opening_credit,
       CASE WHEN t.movement = 0 THEN 0 WHEN t.movement LIKE '-%' THEN substr(t.movement, 2)
            ELSE '-' || t.movement END AS movement_credit,
       CASE WHEN t.closing = 0 THEN 0 WHEN t.closing LIKE '-%' THEN substr(t.closing, 2)
            ELSE '-' || t.closing END AS closing_credit
FROM temp.report AS r CROSS JOIN report_total AS t
CROSS JOIN talea.accounts AS a ON a.book = r.book AND a.account = t.account
JOIN report_kind AS k ON k.kind = a.kind;

-- ---- Statement of account ----------------------------------------------------------------------------

-- Ask for one with WHERE account = '..'. Balances are on the account's normal side.
CREATE TEMP VIEW report_statement AS
SELECT s.account, a.asset,
       substr(CASE s.part WHEN 1 THEN r.first WHEN 2 THEN s.dated ELSE r.last END, 1, 10) AS date,
       CASE s.part WHEN 1 THEN 'opening balance' WHEN 2 THEN 'posting' ELSE 'closing balance' END AS line,
       s.seq, s.key,
       talea_decimal(iif(s.part = 3, s.debits, s.debit), x.precision) AS debit,
       talea_decimal(iif(s.part = 3, s.credits, s.credit), x.precision) AS credit,
       talea_decimal(CASE WHEN a.normal_side <> 'credit' OR s.running = 0 THEN s.running
                          WHEN s.running LIKE '-%' THEN substr(s.running, 2)
                          ELSE '-' || s.running END, x.precision) AS balance
FROM temp.report AS r
CROSS JOIN (
    SELECT account, part, dated, seq, idx, key, debit, credit,
           talea_sum(net) OVER (PARTITION BY account ORDER BY part, dated, seq, idx
                                ROWS UNBOUNDED PRECEDING) AS running,
           coalesce(talea_sum(debit) FILTER (WHERE part = 2) OVER (PARTITION BY account), 0) AS debits,
           coalesce(talea_sum(credit) FILTER (WHERE part = 2) OVER (PARTITION BY account), 0) AS credits
    FROM (
        -- Part 0 came before and is not shown; 2 is the period; 1 and 3 are there without any posting.
        SELECT account, iif(before, 0, 2) AS part, dated, seq, idx, key, debit, credit, net
        FROM report_entry
        UNION ALL
        SELECT o.account, part, NULL, NULL, NULL, NULL, NULL, NULL, 0
        FROM temp.report AS r
        CROSS JOIN talea.accounts AS o
        CROSS JOIN (SELECT 1 AS part UNION ALL SELECT 3)
        WHERE o.book = r.book
    )
) AS s
CROSS JOIN talea.accounts AS a ON a.book = r.book AND a.account = s.account
LEFT JOIN talea.assets AS x ON x.asset = a.asset
WHERE s.part > 0
ORDER BY s.account, s.part, s.dated, s.seq, s.idx;

-- ---- Trial balance -----------------------------------------------------------------------------------

-- At the end of `last`: every account that has postings, in the column of the side that it is on; a
-- balance of 0 is in that of its normal side. A total for each asset, account NULL.
CREATE TEMP VIEW report_trial_balance AS
WITH columns AS MATERIALIZED (
    SELECT asset, place, account, kind, precision,
           CASE WHEN closing = 0 THEN iif(normal_side = 'credit', NULL, 0)
                WHEN closing NOT LIKE '-%' THEN closing END AS debit,
           CASE WHEN closing = 0 THEN iif(normal_side = 'credit', 0, NULL)
                WHEN closing LIKE '-%' THEN closing_credit END AS credit
    FROM report_account
)
SELECT asset, kind, account, talea_decimal(debit, precision) AS debit, talea_decimal(credit, precision) AS credit
FROM (
    SELECT * FROM columns
    UNION ALL
    SELECT asset, 9, NULL, 'total', precision, coalesce(talea_sum(debit), 0), coalesce(talea_sum(credit), 0)
    FROM columns GROUP BY asset
)
ORDER BY asset, place, account;

-- ---- Turnover and activity ---------------------------------------------------------------------------

-- The whole period: every account that has postings, also those that did not move. Opening and closing
-- are on the account's normal side.
CREATE TEMP VIEW report_turnover AS
SELECT asset, kind, account,
       talea_decimal(iif(normal_side = 'credit', opening_credit, opening), precision) AS opening,
       talea_decimal(debits, precision) AS debits,
       talea_decimal(credits, precision) AS credits,
       talea_decimal(iif(normal_side = 'credit', closing_credit, closing), precision) AS closing
FROM report_account
ORDER BY asset, place, account;

-- Each account in each month, quarter or year (`every`) in which it moved.
CREATE TEMP VIEW report_activity AS
SELECT a.asset, a.kind, m.account, m.period,
       talea_decimal(CASE WHEN a.normal_side <> 'credit' OR m.opening = 0 THEN m.opening
                          WHEN m.opening LIKE '-%' THEN substr(m.opening, 2)
                          ELSE '-' || m.opening END, x.precision) AS opening,
       talea_decimal(m.debits, x.precision) AS debits,
       talea_decimal(m.credits, x.precision) AS credits,
       talea_decimal(CASE WHEN a.normal_side <> 'credit' OR m.closing = 0 THEN m.closing
                          WHEN m.closing LIKE '-%' THEN substr(m.closing, 2)
                          ELSE '-' || m.closing END, x.precision) AS closing
FROM temp.report AS r
CROSS JOIN (
    SELECT account, period, debits, credits,
           coalesce(talea_sum(net) OVER (PARTITION BY account ORDER BY period
                                         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS opening,
           talea_sum(net) OVER (PARTITION BY account ORDER BY period ROWS UNBOUNDED PRECEDING) AS closing
    FROM (
        -- What was before makes a period of its own, '', which comes first and is not shown.
        SELECT e.account,
               CASE WHEN e.before THEN ''
                    WHEN r.every = 'month' THEN substr(e.dated, 1, 7)
                    WHEN r.every = 'year' THEN substr(e.dated, 1, 4)
                    ELSE substr(e.dated, 1, 5) || 'Q' || ((substr(e.dated, 6, 2) + 2) / 3) END AS period,
               coalesce(talea_sum(e.debit), 0) AS debits, coalesce(talea_sum(e.credit), 0) AS credits,
               talea_sum(e.net) AS net
        FROM temp.report AS r CROSS JOIN report_entry AS e
        GROUP BY 1, 2
    )
) AS m
CROSS JOIN talea.accounts AS a ON a.book = r.book AND a.account = m.account
JOIN report_kind AS k ON k.kind = a.kind
LEFT JOIN talea.assets AS x ON x.asset = a.asset
WHERE m.period <> ''
ORDER BY a.asset, k.place, m.account, m.period;

-- ---- Income statement --------------------------------------------------------------------------------

-- Income and expenses of the period: what reduces either, such as a contra account, is negative.
CREATE TEMP VIEW report_income AS
WITH lines AS MATERIALIZED (
    SELECT asset, place, kind AS line, account, precision,
           iif(kind = 'income', movement_credit, movement) AS amount, movement_credit AS result
    FROM report_account
    WHERE kind IN ('income', 'expense') AND (debits <> 0 OR credits <> 0)
)
SELECT asset, line, account, talea_decimal(amount, precision) AS amount
FROM (
    SELECT asset, place, 0 AS total, line, account, precision, amount FROM lines
    UNION ALL
    SELECT asset, 4, 1, 'total income', NULL, precision,
           coalesce(talea_sum(amount) FILTER (WHERE line = 'income'), 0) FROM lines GROUP BY asset
    UNION ALL
    SELECT asset, 5, 1, 'total expenses', NULL, precision,
           coalesce(talea_sum(amount) FILTER (WHERE line = 'expense'), 0) FROM lines GROUP BY asset
    UNION ALL
    SELECT asset, 6, 1, 'result', NULL, precision, talea_sum(result) FROM lines GROUP BY asset
)
ORDER BY asset, place, total, account;

-- ---- Balance sheet -----------------------------------------------------------------------------------

-- At the end of `last`. A clearing account is an open item: on the side of the assets as long as it
-- is owed to us, on the other one else. Accounts of 0 are left out.
CREATE TEMP VIEW report_balance_sheet AS
WITH account AS MATERIALIZED (SELECT * FROM report_account), lines AS MATERIALIZED (
    SELECT asset, precision, account, kind AS line, closing AS amount, iif(kind = 'asset', 10, 11) AS place
    FROM account
    WHERE closing <> 0 AND (kind = 'asset' OR kind = 'clearing' AND closing NOT LIKE '-%')
    UNION ALL
    SELECT asset, precision, account, kind, closing_credit,
           CASE kind WHEN 'liability' THEN 20 WHEN 'clearing' THEN 21 ELSE 30 END
    FROM account
    WHERE closing <> 0 AND (kind IN ('liability', 'equity') OR kind = 'clearing' AND closing LIKE '-%')
    UNION ALL
    SELECT asset, precision, NULL, 'retained result', talea_sum(opening_credit), 31
    FROM account
    WHERE kind IN ('income', 'expense')
    GROUP BY asset
    UNION ALL
    SELECT asset, precision, NULL, 'result of the period', talea_sum(movement_credit), 32
    FROM account
    WHERE kind IN ('income', 'expense')
    GROUP BY asset
)
SELECT asset, line, account, talea_decimal(amount, precision) AS amount
FROM (
    SELECT * FROM lines
    UNION ALL
    SELECT asset, precision, NULL, total,
           coalesce(talea_sum(amount) FILTER (WHERE lines.place BETWEEN low AND high), 0), high
    FROM lines
    CROSS JOIN (SELECT 'total assets' AS total, 10 AS low, 19 AS high
                UNION ALL SELECT 'total liabilities', 20, 29
                UNION ALL SELECT 'total equity', 30, 39
                UNION ALL SELECT 'total liabilities and equity', 20, 49)
    GROUP BY asset, total
)
ORDER BY asset, place, account;

-- Assets = liabilities + equity + retained result + result of the period. Each section is summed by
-- itself; `difference` is what is left when the others are taken from the assets.
CREATE TEMP VIEW report_equation AS
WITH account AS MATERIALIZED (SELECT * FROM report_account), section AS MATERIALIZED (
    SELECT asset, precision,
           CASE WHEN kind = 'asset' OR kind = 'clearing' AND closing NOT LIKE '-%' THEN 'assets'
                WHEN kind = 'equity' THEN 'equity' ELSE 'liabilities' END AS name,
           talea_sum(closing) AS net, talea_sum(closing_credit) AS credit
    FROM account
    WHERE kind NOT IN ('income', 'expense')
    GROUP BY asset, 3
    UNION ALL
    SELECT asset, precision, 'retained', talea_sum(opening), talea_sum(opening_credit)
    FROM account WHERE kind IN ('income', 'expense') GROUP BY asset
    UNION ALL
    SELECT asset, precision, 'result', talea_sum(movement), talea_sum(movement_credit)
    FROM account WHERE kind IN ('income', 'expense') GROUP BY asset
)
SELECT asset,
       talea_decimal(coalesce(talea_sum(net) FILTER (WHERE name = 'assets'), 0), precision) AS assets,
       talea_decimal(coalesce(talea_sum(credit) FILTER (WHERE name = 'liabilities'), 0), precision) AS liabilities,
       talea_decimal(coalesce(talea_sum(credit) FILTER (WHERE name = 'equity'), 0), precision) AS equity,
       talea_decimal(coalesce(talea_sum(credit) FILTER (WHERE name = 'retained'), 0), precision) AS retained,
       talea_decimal(coalesce(talea_sum(credit) FILTER (WHERE name = 'result'), 0), precision) AS result,
       talea_decimal(talea_sum(net), precision) AS difference
FROM section
GROUP BY asset
ORDER BY asset;

-- ---- Late entries ------------------------------------------------------------------------------------

-- What as_of leaves out of the report: postings dated `last` or before, by the effective date, that
-- were committed after as_of. Without as_of there is nothing to show.
CREATE TEMP VIEW report_late AS
SELECT p.seq, substr(p.at, 1, 10) AS committed, substr(coalesce(p.occurred_at, p.at), 1, 10) AS date,
       p.idempotency_key AS key, p.account, p.asset,
       talea_decimal(p.debit, x.precision) AS debit, talea_decimal(p.credit, x.precision) AS credit
FROM temp.report AS r
CROSS JOIN talea.postings AS p
LEFT JOIN talea.assets AS x ON x.asset = p.asset
WHERE p.book = r.book AND p.at > r.as_of_at AND coalesce(p.occurred_at, p.at) <= r.last_at
ORDER BY p.seq, p.idx;
