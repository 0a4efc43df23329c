-- What is no path, and no schema to bind.
SELECT talea_open(NULL);
SELECT talea_open(5);
SELECT talea_open(x'61');
SELECT talea_open();
SELECT talea_open('a', 'b', 'c');
SELECT talea_open('a', NULL);
SELECT talea_open('a', '');
SELECT talea_open('a', 5);
SELECT talea_open('a', 'main');
SELECT talea_open('a', 'temp');
ATTACH ':memory:' AS aux;
SELECT talea_open('a', 'aux');
SELECT talea_close('nobody');
SELECT talea_close('main');
SELECT talea_close(1, 2);
.shell unset LD_PRELOAD; ls -d a 2>/dev/null | wc -l
