// CRC-32C.
//
// The processor's crc32 instruction takes 8 bytes in one cycle but gives its result three cycles
// later, so one chain reaches a third of its speed. Long inputs are therefore cut into three
// blocks of equal length whose chains run side by side:
//
//     | block a | block b | block c |     all three from crc 0 but a, which goes on from `crc`
//
// CRCs are linear, so crc(a|b|c) = shift(shift(crc a) ^ crc b) ^ crc c, where `shift` is the
// effect of one block length of zero bytes: a 32x32 bit matrix, kept as four tables of 256.

#include "CSystem.h"

#include <string.h>

#define POLYNOMIAL 0x82F63B78u
#define LONG_BLOCK 4096
#define SHORT_BLOCK 256

typedef uint32_t tables_t[4][256];

static uint32_t slices[8][256];  // slicing-by-8: byte i of a word of eight
static tables_t long_shift;
static tables_t short_shift;

static uint32_t load32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

// All functions below work on the inverted register; only the entry points invert.
static uint32_t update_by_tables(uint32_t state, const uint8_t *p, size_t count) {
    for (; count >= 8; p += 8, count -= 8) {
        uint32_t low = state ^ load32(p);
        uint32_t high = load32(p + 4);
        state = slices[7][low & 0xff] ^ slices[6][low >> 8 & 0xff] ^
                slices[5][low >> 16 & 0xff] ^ slices[4][low >> 24] ^
                slices[3][high & 0xff] ^ slices[2][high >> 8 & 0xff] ^
                slices[1][high >> 16 & 0xff] ^ slices[0][high >> 24];
    }
    for (; count > 0; count--) state = slices[0][(state ^ *p++) & 0xff] ^ state >> 8;
    return state;
}

static uint32_t shift(const tables_t tables, uint32_t state) {
    return tables[0][state & 0xff] ^ tables[1][state >> 8 & 0xff] ^
           tables[2][state >> 16 & 0xff] ^ tables[3][state >> 24];
}

static void fill_shift(tables_t tables, size_t zeros) {
    static const uint8_t nothing[SHORT_BLOCK];
    for (int bit = 0; bit < 32; bit++) {
        uint32_t state = 1u << bit;
        for (size_t done = 0; done < zeros; done += sizeof nothing)
            state = update_by_tables(state, nothing, sizeof nothing);
        tables[bit / 8][1u << bit % 8] = state;
    }
    // The other values are sums of these, each of a smaller one and one bit.
    for (int byte = 0; byte < 4; byte++) {
        tables[byte][0] = 0;
        for (uint32_t value = 1; value < 256; value++) {
            uint32_t rest = value & (value - 1);
            tables[byte][value] = tables[byte][rest] ^ tables[byte][value ^ rest];
        }
    }
}

#if defined(__x86_64__)
#include <nmmintrin.h>
#define ACCELERATED __attribute__((target("sse4.2")))
#define STEP8(state, value) _mm_crc32_u64(state, value)
#define STEP1(state, value) _mm_crc32_u8((uint32_t)(state), value)
static int has_instruction(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.2") != 0;
}
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#define ACCELERATED __attribute__((target("crc")))
#define STEP8(state, value) __crc32cd((uint32_t)(state), value)
#define STEP1(state, value) __crc32cb((uint32_t)(state), value)
static int has_instruction(void) { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
#endif

#if defined(ACCELERATED)
static uint64_t load64(const uint8_t *p) {
    uint64_t value;
    memcpy(&value, p, sizeof value);  // both targets are little-endian
    return value;
}

ACCELERATED static uint64_t three_blocks(
    uint64_t a, const uint8_t *p, size_t block, const tables_t tables) {
    uint64_t b = 0, c = 0;
    for (const uint8_t *end = p + block; p < end; p += 8) {
        a = STEP8(a, load64(p));
        b = STEP8(b, load64(p + block));
        c = STEP8(c, load64(p + 2 * block));
    }
    return shift(tables, shift(tables, (uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
}

ACCELERATED static uint32_t update_by_instruction(
    uint32_t start, const uint8_t *p, size_t count) {
    uint64_t state = start;
    for (; count >= 3 * LONG_BLOCK; p += 3 * LONG_BLOCK, count -= 3 * LONG_BLOCK)
        state = three_blocks(state, p, LONG_BLOCK, long_shift);
    for (; count >= 3 * SHORT_BLOCK; p += 3 * SHORT_BLOCK, count -= 3 * SHORT_BLOCK)
        state = three_blocks(state, p, SHORT_BLOCK, short_shift);
    for (; count >= 8; p += 8, count -= 8) state = STEP8(state, load64(p));
    for (; count > 0; count--) state = STEP1(state, *p++);
    return (uint32_t)state;
}
#endif

static uint32_t (*update)(uint32_t, const uint8_t *, size_t) = update_by_tables;

__attribute__((constructor)) static void prepare(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t state = byte;
        for (int bit = 0; bit < 8; bit++)
            state = state >> 1 ^ (state & 1 ? POLYNOMIAL : 0);
        slices[0][byte] = state;
    }
    for (uint32_t byte = 0; byte < 256; byte++)
        for (int i = 1; i < 8; i++)
            slices[i][byte] = slices[0][slices[i - 1][byte] & 0xff] ^ slices[i - 1][byte] >> 8;
    fill_shift(long_shift, LONG_BLOCK);
    fill_shift(short_shift, SHORT_BLOCK);
#if defined(ACCELERATED)
    if (has_instruction()) update = update_by_instruction;
#endif
}

uint32_t kvd_crc32c(uint32_t crc, const void *bytes, size_t count) {
    return ~update(~crc, bytes, count);
}

uint32_t kvd_crc32c_portable(uint32_t crc, const void *bytes, size_t count) {
    return ~update_by_tables(~crc, bytes, count);
}

int kvd_crc32c_is_accelerated(void) { return update != update_by_tables; }
