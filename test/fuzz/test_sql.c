/* The seeds of fuzz_sql.c. */
#include "fuzz_sql.c"
#include "seeds.h"

int main(int argc, char **argv) {
    return seeds_run("sql", 5, argc, argv);
}
