/* The seeds of fuzz_uri.c. */
#include "fuzz_uri.c"
#include "seeds.h"

int main(int argc, char **argv) {
    return seeds_run("uri", 300, argc, argv);
}
