-- A database without a name (a temporary file) has no default location either.
.open ""
.load talea
SELECT * FROM balances;
