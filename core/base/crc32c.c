/*
 * crc32c.c: CRC-32C by the SSE4.2 or ARMv8 instruction, else by slicing-by-8 tables.
 *
 * How: the instruction takes 8 bytes and answers three cycles later, but one can be started every
 * cycle. Long buffers therefore run three independent checksums side by side over neighbouring
 * blocks, and join them: to move a checksum over n zero bytes is to multiply it by x^(8n) modulo
 * the polynomial, one carry-less multiplication and one crc32 (whose own effect, x^33, the
 * constants take off). Same idea as Gopal et al., "Fast CRC Computation for iSCSI Polynomial Using
 * CRC32 Instruction" (Intel, 2011). Frames are around a hundred bytes and never get there.
 *
 * The tables are constants, so that there is nothing to initialise: a table row is linear over
 * GF(2), and each is written as its eight values at the powers of two.
 */
#include "base/crc32c.h"

#include <stdatomic.h>

#include "base/bytes.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

/* All of these work on the inverted register, as the instruction does. */
typedef uint32_t crc_fn(uint32_t crc, const uint8_t *p, size_t len);

/* ---- Slicing-by-8 -------------------------------------------------------------------------- */

#define BIT(n, bit, value) ((n) & (bit) ? (value) : 0U)
#define ENTRY(n, a, b, c, d, e, f, g, h)                                                           \
    (BIT(n, 1, a) ^ BIT(n, 2, b) ^ BIT(n, 4, c) ^ BIT(n, 8, d) ^ BIT(n, 16, e) ^ BIT(n, 32, f) ^   \
     BIT(n, 64, g) ^ BIT(n, 128, h))
#define ENTRIES_4(n, ...)                                                                          \
    ENTRY(n, __VA_ARGS__), ENTRY(n + 1, __VA_ARGS__), ENTRY(n + 2, __VA_ARGS__),                   \
        ENTRY(n + 3, __VA_ARGS__)
#define ENTRIES_16(n, ...)                                                                         \
    ENTRIES_4(n, __VA_ARGS__), ENTRIES_4(n + 4, __VA_ARGS__), ENTRIES_4(n + 8, __VA_ARGS__),       \
        ENTRIES_4(n + 12, __VA_ARGS__)
#define ENTRIES_64(n, ...)                                                                         \
    ENTRIES_16(n, __VA_ARGS__), ENTRIES_16(n + 16, __VA_ARGS__), ENTRIES_16(n + 32, __VA_ARGS__),  \
        ENTRIES_16(n + 48, __VA_ARGS__)
#define ROW(...)                                                                                   \
    {                                                                                              \
        ENTRIES_64(0, __VA_ARGS__), ENTRIES_64(64, __VA_ARGS__), ENTRIES_64(128, __VA_ARGS__),     \
            ENTRIES_64(192, __VA_ARGS__)                                                           \
    }

/* table[k][b]: the checksum of byte b followed by k zero bytes. */
static const uint32_t table[8][256] = {
    ROW(0xF26B8303U, 0xE13B70F7U, 0xC79A971FU, 0x8AD958CFU, 0x105EC76FU, 0x20BD8EDEU, 0x417B1DBCU,
        0x82F63B78U),
    ROW(0x13A29877U, 0x274530EEU, 0x4E8A61DCU, 0x9D14C3B8U, 0x3FC5F181U, 0x7F8BE302U, 0xFF17C604U,
        0xFBC3FAF9U),
    ROW(0xA541927EU, 0x4F6F520DU, 0x9EDEA41AU, 0x38513EC5U, 0x70A27D8AU, 0xE144FB14U, 0xC76580D9U,
        0x8B277743U),
    ROW(0xDD45AAB8U, 0xBF672381U, 0x7B2231F3U, 0xF64463E6U, 0xE964B13DU, 0xD725148BU, 0xABA65FE7U,
        0x52A0C93FU),
    ROW(0x38116FACU, 0x7022DF58U, 0xE045BEB0U, 0xC5670B91U, 0x8F2261D3U, 0x1BA8B557U, 0x37516AAEU,
        0x6EA2D55CU),
    ROW(0xEF306B19U, 0xDB8CA0C3U, 0xB2F53777U, 0x6006181FU, 0xC00C303EU, 0x85F4168DU, 0x0E045BEBU,
        0x1C08B7D6U),
    ROW(0x68032CC8U, 0xD0065990U, 0xA5E0C5D1U, 0x4E2DFD53U, 0x9C5BFAA6U, 0x3D5B83BDU, 0x7AB7077AU,
        0xF56E0EF4U),
    ROW(0x493C7D27U, 0x9278FA4EU, 0x211D826DU, 0x423B04DAU, 0x847609B4U, 0x0D006599U, 0x1A00CB32U,
        0x34019664U),
};

static uint32_t crc_portable(uint32_t crc, const uint8_t *p, size_t len) {
    for (; len >= 8; p += 8, len -= 8) {
        uint32_t low = tl_get_u32(p) ^ crc;
        uint32_t high = tl_get_u32(p + 4);
        crc = table[7][low & 0xFF] ^ table[6][low >> 8 & 0xFF] ^ table[5][low >> 16 & 0xFF] ^
              table[4][low >> 24] ^ table[3][high & 0xFF] ^ table[2][high >> 8 & 0xFF] ^
              table[1][high >> 16 & 0xFF] ^ table[0][high >> 24];
    }
    for (; len > 0; p++, len--) {
        crc = crc >> 8 ^ table[0][(crc ^ *p) & 0xFF];
    }
    return crc;
}

/* ---- By instruction ------------------------------------------------------------------------ */

#if defined(__x86_64__)

/* Blocks of 512 bytes: three of them hide the cost of joining and still suit a buffer of 4 KiB. */
enum { BLOCK_BYTES = 512 };
#define MOVE_1_BLOCK 0xDD7E3B0CU  /* x^(8*512 - 33) modulo the polynomial, reflected */
#define MOVE_2_BLOCKS 0x170076FAU /* x^(16*512 - 33) */

__attribute__((target("sse4.2,pclmul"))) static uint32_t crc_join(uint64_t a, uint64_t b,
                                                                  uint64_t c) {
    __m128i moved_a = _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)a),
                                           _mm_cvtsi64_si128((int64_t)MOVE_2_BLOCKS), 0);
    __m128i moved_b = _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)b),
                                           _mm_cvtsi64_si128((int64_t)MOVE_1_BLOCK), 0);
    uint64_t product = (uint64_t)_mm_cvtsi128_si64(_mm_xor_si128(moved_a, moved_b));
    return (uint32_t)(_mm_crc32_u64(0, product) ^ c);
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t crc_by_instruction(uint32_t crc,
                                                                            const uint8_t *p,
                                                                            size_t len) {
    for (; len >= (size_t)3 * BLOCK_BYTES; p += 3 * BLOCK_BYTES, len -= (size_t)3 * BLOCK_BYTES) {
        uint64_t a = crc;
        uint64_t b = 0;
        uint64_t c = 0;
        for (size_t i = 0; i < BLOCK_BYTES; i += 8) {
            a = _mm_crc32_u64(a, tl_get_u64(p + i));
            b = _mm_crc32_u64(b, tl_get_u64(p + BLOCK_BYTES + i));
            c = _mm_crc32_u64(c, tl_get_u64(p + (size_t)2 * BLOCK_BYTES + i));
        }
        crc = crc_join(a, b, c);
    }
    uint64_t wide = crc;
    for (; len >= 8; p += 8, len -= 8) {
        wide = _mm_crc32_u64(wide, tl_get_u64(p));
    }
    crc = (uint32_t)wide;
    for (; len > 0; p++, len--) {
        crc = _mm_crc32_u8(crc, *p);
    }
    return crc;
}

static bool has_instruction(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

#elif defined(__aarch64__)

/* Written as assembly because compilers disagree on how arm_acle.h is switched on for one function.
 */
static uint32_t crc_by_instruction(uint32_t crc, const uint8_t *p, size_t len) {
    for (; len >= 8; p += 8, len -= 8) {
        __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(tl_get_u64(p)));
    }
    for (; len > 0; p++, len--) {
        __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"((uint32_t)*p));
    }
    return crc;
}

static bool has_instruction(void) {
#if defined(__linux__)
    return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#elif defined(__APPLE__)
    return true; /* every 64-bit Apple processor that runs macOS */
#else
    return false;
#endif
}

#else

#define crc_by_instruction crc_portable

static bool has_instruction(void) {
    return false;
}

#endif

/* ---- The choice ---------------------------------------------------------------------------- */

static crc_fn choose;
static _Atomic(crc_fn *) chosen = choose;

/* Stands in until the first call. Two threads may both get here; they store the same answer. */
static uint32_t choose(uint32_t crc, const uint8_t *p, size_t len) {
    crc_fn *fn = has_instruction() ? crc_by_instruction : crc_portable;
    atomic_store_explicit(&chosen, fn, memory_order_relaxed);
    return fn(crc, p, len);
}

uint32_t tl_crc32c(uint32_t crc, const void *data, size_t len) {
    crc_fn *fn = atomic_load_explicit(&chosen, memory_order_relaxed);
    return ~fn(~crc, (const uint8_t *)data, len);
}

uint32_t tl_crc32c_portable(uint32_t crc, const void *data, size_t len) {
    return ~crc_portable(~crc, (const uint8_t *)data, len);
}
