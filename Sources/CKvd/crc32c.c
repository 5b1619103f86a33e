// CRC-32C.
//
// The processor's crc32 instruction takes 8 bytes in one cycle but gives its result three cycles
// later, so one chain reaches a third of its speed. On x86 the input is therefore cut into three
// lanes of k words whose chains run side by side, and joined again by a carry-less product:
//
//     | lane a, k words | lane b, k words | lane c, k words |    a goes on from `crc`, b, c from 0
//
// CRCs are linear: what a adds to the whole is crc(a) * x^(64 * 2k), and crc(b) * x^(64 * k). The
// products are xored into the last word of c before its last step, which multiplies by x^32 and,
// as the product of two reflected values is one bit short, by x once more. So the factor for n
// words is x^(64 n - 33), kept in `folds`.
//
// Where there is AVX-512 with carry-less products of four pairs at once, long inputs are folded
// instead: four registers of 64 bytes are each moved on by 256 bytes with two products for each 16
// bytes, their low halves by x^(2048 + 31), their high ones by x^(2048 - 33), and what is left of
// them at the end is an input of 64 bytes with the same crc. Twice as quick as the lanes, in the
// cache and out of it.

#include "CKvd.h"

#include <string.h>

#define POLYNOMIAL 0x82F63B78u
#define LANE_WORDS_MAX 512
#define LANE_WORDS_MIN 4

static uint32_t slices[8][256];  // slicing-by-8: byte i of a word of eight

static uint32_t powers[64];  // powers[k] = x^(8 * 2^k) mod P, bits reflected

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

#if defined(__x86_64__)
#include <immintrin.h>
#define ACCELERATED __attribute__((target("sse4.2,pclmul")))
#define STEP8(state, value) _mm_crc32_u64(state, value)
#define STEP4(state, value) _mm_crc32_u32((uint32_t)(state), value)
#define STEP1(state, value) _mm_crc32_u8((uint32_t)(state), value)
static int has_instruction(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#define ACCELERATED __attribute__((target("crc")))
#define STEP8(state, value) __crc32cd((uint32_t)(state), value)
#define STEP4(state, value) __crc32cw((uint32_t)(state), value)
#define STEP1(state, value) __crc32cb((uint32_t)(state), value)
static int has_instruction(void) { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
#endif

#if defined(ACCELERATED)
static uint64_t load64(const uint8_t *p) {
    uint64_t value;
    memcpy(&value, p, sizeof value);  // both targets are little-endian
    return value;
}

#if defined(__x86_64__)
static uint32_t folds[2 * LANE_WORDS_MAX + 1];  // folds[n] = x^(64 n - 33) mod P, reflected

ACCELERATED static uint64_t fold(uint64_t state, size_t words) {
    __m128i product = _mm_clmulepi64_si128(
        _mm_cvtsi64_si128((int64_t)state), _mm_cvtsi64_si128(folds[words]), 0);
    return (uint64_t)_mm_cvtsi128_si64(product);
}

ACCELERATED static uint64_t three_lanes(uint64_t a, const uint8_t *p, size_t words) {
    uint64_t b = 0, c = 0;
    const uint8_t *pb = p + 8 * words, *pc = pb + 8 * words;
    for (size_t i = 0; i + 1 < words; i++) {
        a = STEP8(a, load64(p + 8 * i));
        b = STEP8(b, load64(pb + 8 * i));
        c = STEP8(c, load64(pc + 8 * i));
    }
    a = STEP8(a, load64(pb - 8));
    b = STEP8(b, load64(pc - 8));
    return STEP8(c, load64(pc + 8 * words - 8) ^ fold(a, 2 * words) ^ fold(b, words));
}
#endif

ACCELERATED static uint32_t update_by_instruction(
    uint32_t start, const uint8_t *p, size_t count) {
    uint64_t state = start;
#if defined(__x86_64__)
    while (count >= 24 * LANE_WORDS_MIN) {
        size_t words = count / 24 < LANE_WORDS_MAX ? count / 24 : LANE_WORDS_MAX;
        state = three_lanes(state, p, words);
        p += 24 * words;
        count -= 24 * words;
    }
#endif
    for (; count >= 8; p += 8, count -= 8) state = STEP8(state, load64(p));
    if (count >= 4) {
        state = STEP4(state, load32(p));
        p += 4;
        count -= 4;
    }
    for (; count > 0; count--) state = STEP1(state, *p++);
    return (uint32_t)state;
}
#endif

#if defined(__x86_64__)
#define FOLDED_MIN 1024
#define FOLDING __attribute__((target("avx512f,vpclmulqdq,pclmul,sse4.2")))

static uint64_t by_2048[2], by_512[2];  // x^(n + 31) and x^(n - 33) mod P, reflected

FOLDING static __m512i factors(const uint64_t pair[2]) {
    return _mm512_broadcast_i32x4(_mm_set_epi64x((int64_t)pair[1], (int64_t)pair[0]));
}

// Moves `value` on, to where `next` is, and adds it there.
FOLDING static inline __m512i moved(__m512i value, __m512i factors, __m512i next) {
    return _mm512_ternarylogic_epi64(
        _mm512_clmulepi64_epi128(value, factors, 0x00),
        _mm512_clmulepi64_epi128(value, factors, 0x11), next, 0x96);
}

FOLDING static uint32_t update_by_folding(uint32_t start, const uint8_t *p, size_t count) {
    if (count < FOLDED_MIN) return update_by_instruction(start, p, count);
    __m512i a = _mm512_xor_si512(
        _mm512_loadu_si512(p), _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)start)));
    __m512i b = _mm512_loadu_si512(p + 64);
    __m512i c = _mm512_loadu_si512(p + 128);
    __m512i d = _mm512_loadu_si512(p + 192);
    p += 256;
    count -= 256;
    const __m512i far = factors(by_2048), near = factors(by_512);
    for (; count >= 256; p += 256, count -= 256) {
        a = moved(a, far, _mm512_loadu_si512(p));
        b = moved(b, far, _mm512_loadu_si512(p + 64));
        c = moved(c, far, _mm512_loadu_si512(p + 128));
        d = moved(d, far, _mm512_loadu_si512(p + 192));
    }
    d = moved(moved(moved(a, near, b), near, c), near, d);
    for (; count >= 64; p += 64, count -= 64) d = moved(d, near, _mm512_loadu_si512(p));
    uint8_t rest[64];
    _mm512_storeu_si512(rest, d);
    return update_by_instruction(update_by_instruction(0, rest, sizeof rest), p, count);
}

static int can_fold(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq");
}
#endif

// a * b mod P of reflected polynomials: bit 31 is x^0.
static uint32_t multiply(uint32_t a, uint32_t b) {
    uint32_t product = 0;
    for (uint32_t bit = 1u << 31; bit != 0; bit >>= 1) {
        if (a & bit) product ^= b;
        b = b >> 1 ^ (b & 1 ? POLYNOMIAL : 0);
    }
    return product;
}

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
    powers[0] = 1u << 23;  // x^8
    for (int i = 1; i < 64; i++) powers[i] = multiply(powers[i - 1], powers[i - 1]);
#if defined(__x86_64__)
    folds[1] = 1;  // x^31
    for (int n = 2; n <= 2 * LANE_WORDS_MAX; n++) folds[n] = multiply(folds[n - 1], powers[3]);
    // folds[n] has x^(64 n - 33): x^(2048 + 31) is that of 33 words.
    by_2048[0] = folds[33], by_2048[1] = folds[32];
    by_512[0] = folds[9], by_512[1] = folds[8];
#endif
#if defined(ACCELERATED)
    if (has_instruction()) update = update_by_instruction;
#endif
#if defined(__x86_64__)
    if (has_instruction() && can_fold()) update = update_by_folding;
#endif
}

uint32_t kvd_crc32c(uint32_t crc, const void *bytes, size_t count) {
    return ~update(~crc, bytes, count);
}

uint32_t kvd_crc32c_portable(uint32_t crc, const void *bytes, size_t count) {
    return ~update_by_tables(~crc, bytes, count);
}

uint32_t kvd_crc32c_shift(uint32_t difference, size_t count) {
    for (int i = 0; count != 0; i++, count >>= 1)
        if (count & 1) difference = multiply(difference, powers[i]);
    return difference;
}

int kvd_crc32c_is_accelerated(void) { return update != update_by_tables; }
