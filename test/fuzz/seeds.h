/*
 * seeds.h: the main() that makes an ordinary test of a fuzz target: its seeds, and a little noise
 * on each of them.
 *
 * Purpose:    ./dev test runs what fuzzing has found before, in every tree, without clang.
 * Owns:       nothing.
 * Threads:    one.
 *
 * test_NAME FILE... runs these inputs alone: how a finding of libFuzzer is debugged.
 */
#ifndef TEST_FUZZ_SEEDS_H
#define TEST_FUZZ_SEEDS_H

#include <dirent.h>

#include "fuzz.h"

enum { SEED_BYTES_MAX = 1 << 20 };

/* On a copy that ends where the input ends, so that AddressSanitizer sees every step too far. */
static void seeds_run_one(const uint8_t *data, size_t len) {
    uint8_t *copy = fuzz_alloc(len);
    memcpy(copy, data, len);
    (void)LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static size_t seeds_read(const char *path, uint8_t *out) {
    FILE *file = fopen(path, "rb");
    must(file != NULL);
    size_t len = fread(out, 1, SEED_BYTES_MAX, file);
    (void)fclose(file);
    return len;
}

/* The same noise in every run: a few bytes overwritten, sometimes the end missing. */
static void seeds_shake(uint8_t *data, size_t len, unsigned rounds) {
    uint8_t *noisy = fuzz_alloc(len);
    uint64_t state = len;
    for (unsigned round = 0; len > 0 && round < rounds; round++) {
        memcpy(noisy, data, len);
        for (unsigned i = 0; i <= round % 4; i++) {
            state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            noisy[(state >> 33) % len] = (uint8_t)(state >> 24);
        }
        seeds_run_one(noisy, round % 8 == 7 ? (size_t)((state >> 40) % len) : len);
    }
    free(noisy);
}

static int seeds_run(const char *name, unsigned rounds, int argc, char **argv) {
    static uint8_t data[SEED_BYTES_MAX];
    char dir[512];
    char path[1024];
    unsigned count = 0;
    for (int i = 1; i < argc; i++) {
        seeds_run_one(data, seeds_read(argv[i], data));
    }
    if (argc > 1) {
        return 0;
    }
    (void)snprintf(dir, sizeof dir, "%s/test/fuzz/corpus/%s", TALEA_SOURCE_DIR, name);
    DIR *folder = opendir(dir);
    must(folder != NULL);
    seeds_run_one(data, 0);
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (entry->d_name[0] != '.') {
            (void)snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
            size_t len = seeds_read(path, data);
            seeds_run_one(data, len);
            seeds_shake(data, len, rounds);
            count++;
        }
    }
    (void)closedir(folder);
    must(count > 0);
    printf("%s: %u seeds, each with %u times noise\n", name, count, rounds);
    return 0;
}

#endif
