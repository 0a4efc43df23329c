/* The seeds of fuzz_format.c. */
#include "fuzz_format.c"
#include "seeds.h"

int main(int argc, char **argv) {
    return seeds_run("format", 300, argc, argv);
}
