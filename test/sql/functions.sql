-- talea_decimal and talea_minor convert exactly and refuse to round.
SELECT talea_decimal(100000, 2), talea_decimal(-5, 2), talea_decimal(0, 2), talea_decimal(7, 0), talea_decimal(1, 38);
SELECT talea_decimal('170141183460469231731687303715884105727', 2), talea_decimal('-170141183460469231731687303715884105728', 38), typeof(talea_decimal(5, 0));
SELECT talea_minor('1000.00', 2), talea_minor('-0.05', 2), talea_minor('7', 2), talea_minor('1.50', 1), talea_minor('1.', 2) IS NULL;
SELECT talea_minor('1000.00', 2), talea_minor('-0.05', 2), talea_minor('7', 2), talea_minor('1.50', 1), talea_minor('0.00', 0);
SELECT talea_minor('92233720368547758.07', 2), typeof(talea_minor('92233720368547758.07', 2)), talea_minor('92233720368547758.08', 2), typeof(talea_minor('92233720368547758.08', 2));
SELECT talea_minor('1701411834604692317316873037158841057.27', 2), talea_minor('-1.70141183460469231731687303715884105728', 38);
SELECT talea_minor('1701411834604692317316873037158841057.28', 2);
SELECT talea_minor('1.555', 2);
SELECT talea_minor('1e3', 2);
SELECT talea_minor('+1', 2);
SELECT talea_minor(' 1', 2);
SELECT talea_minor('', 2);
SELECT talea_minor('.5', 2);
SELECT talea_minor('1', 39);
SELECT talea_minor('1', -1);
SELECT talea_minor(1.5, 2);
SELECT talea_decimal(1.5, 2);
SELECT talea_decimal(x'31', 2);
SELECT talea_decimal('1e3', 2);
SELECT talea_decimal(1, 39);
SELECT talea_decimal(1, 2.0);
SELECT talea_decimal(NULL, 2) IS NULL, talea_minor(NULL, 2) IS NULL, talea_decimal(1, NULL) IS NULL;
SELECT talea_minor(5, 2);
-- There and back.
WITH RECURSIVE n(v, p) AS (SELECT -1000, 0 UNION ALL SELECT v + 37, (p + 1) % 39 FROM n WHERE v < 1000) SELECT count(*), sum(talea_minor(talea_decimal(v, p), p) = v) FROM n;
