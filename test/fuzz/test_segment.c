/* The seeds of fuzz_segment.c. */
#include "fuzz_segment.c"
#include "seeds.h"

int main(int argc, char **argv) {
    return seeds_run("segment", 30, argc, argv);
}
