.mode list
.headers off
UPDATE report SET book = 'main', first = '2025-01-01', last = '2025-03-31';
.print -- statement: bank
SELECT * FROM report_statement WHERE account = 'bank';
.print -- statement: a list of accounts; contra; credit side; clearing; beyond 64 bits; never used
SELECT * FROM report_statement WHERE account IN ('depreciation', 'vat', 'fx:usd', 'vault', 'never used');
.print -- trial balance
SELECT * FROM report_trial_balance;
.print -- income statement
SELECT * FROM report_income;
.print -- balance sheet
SELECT * FROM report_balance_sheet;
.print -- equation
SELECT * FROM report_equation;
.print -- turnover: euros
SELECT * FROM report_turnover WHERE asset = 'EUR';
.print -- activity: months
SELECT * FROM report_activity WHERE account IN ('bank', 'vat', 'depreciation', 'vault', 'sales');
.print -- activity: quarters
UPDATE report SET first = NULL, last = '2025-12-31', every = 'quarter';
SELECT * FROM report_activity WHERE account IN ('bank', 'sales');
.print -- activity: years, and what has no date of its own
UPDATE report SET last = NULL, every = 'year';
SELECT asset, kind, account, iif(period > '2025', 'now', period), opening, debits, credits, closing
FROM report_activity WHERE account = 'sales' AND period <> '2025';
.print -- one microsecond
UPDATE report SET first = '2025-01-31T23:59:59.999999Z', last = '2025-01-31T23:59:59.999999Z';
SELECT * FROM report_statement WHERE account = 'bank';
UPDATE report SET last = '2025-01-31T23:59:59.999998Z', first = '2025-01-31';
SELECT * FROM report_statement WHERE account = 'rent';
.print -- as it was known when t12 was committed
UPDATE report SET first = '2025-01-01', last = '2025-03-31',
                  as_of = (SELECT at FROM events WHERE book = 'main' AND idempotency_key = 't12');
SELECT * FROM report_statement WHERE account = 'bank' AND line <> 'posting';
SELECT * FROM report_equation;
SELECT seq, committed > '2025', date, key, account, asset, debit, credit FROM report_late;
.print -- by commit: t3 to t7
UPDATE report SET as_of = NULL, basis = 'committed',
                  first = (SELECT at FROM events WHERE book = 'main' AND idempotency_key = 't3'),
                  last = (SELECT at FROM events WHERE book = 'main' AND idempotency_key = 't7');
SELECT account, line, key, debit, credit, balance FROM report_statement WHERE account = 'bank';
SELECT account, line, key, debit, credit, balance FROM report_statement WHERE account = 'vat';
SELECT * FROM report_trial_balance;
SELECT * FROM report_income;
SELECT * FROM report_balance_sheet;
SELECT * FROM report_equation;
SELECT * FROM report_turnover;
SELECT count(*), max(period) = substr((SELECT at FROM events WHERE book = 'main' AND idempotency_key = 't7'), 1, 4)
FROM report_activity;
.print -- by commit: the same, known when t5 was committed
UPDATE report SET as_of = (SELECT at FROM events WHERE book = 'main' AND idempotency_key = 't5');
SELECT account, line, key, debit, credit, balance FROM report_statement WHERE account = 'bank';
SELECT * FROM report_equation;
.print -- by commit: the same, known when t1 was committed, before the period
UPDATE report SET as_of = (SELECT at FROM events WHERE book = 'main' AND idempotency_key = 't1');
SELECT account, line, key, debit, credit, balance FROM report_statement WHERE account = 'bank';
SELECT * FROM report_turnover;
.print -- the other book
UPDATE report SET book = 'other', basis = 'effective', first = NULL, last = NULL, as_of = NULL;
SELECT * FROM report_balance_sheet;
SELECT DISTINCT account FROM report_statement;
