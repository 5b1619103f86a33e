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
// Where there is AVX-512 with carry-less products of four pairs at once, inputs of 64 bytes and more
// are folded instead: four registers of 64 bytes, or one, are moved on by as many bytes with two
// products for each 16 bytes, their low halves by x^(n + 31), their high ones by x^(n - 33) for n
// bits. At the end the 16 byte parts of the last one are moved to where its fourth is, and what is
// left is an input of 16 bytes with the same crc. Twice as quick as the lanes, in the cache and out
// of it, and from 128 bytes on.

#include "CKvd.h"

#include <string.h>

#define POLYNOMIAL 0x82F63B78u
#define LANE_WORDS_MAX 512
#define LANE_WORDS_MIN 4
#define JOINED_MIN 5
#define JOINED_MAX 1024

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

// Over the lower `count` bytes of a word, 1 to 8; the others are zero. Zeros before the first byte
// leave a state of zero as it is.
ACCELERATED static inline uint64_t part_of_word(uint64_t state, uint64_t word, size_t count) {
    return STEP8(0, (word ^ state) << (64 - 8 * count)) ^ (count < 4 ? state >> 8 * count : 0);
}

// x^(8 n - 33) mod P, reflected; from 5 bytes on.
static uint32_t byte_folds[JOINED_MAX + 1];

ACCELERATED static inline uint32_t join(uint32_t state, uint32_t next, size_t count) {
    __m128i product = _mm_clmulepi64_si128(
        _mm_cvtsi32_si128((int)state), _mm_cvtsi32_si128((int)byte_folds[count]), 0);
    return (uint32_t)STEP8(0, (uint64_t)_mm_cvtsi128_si64(product)) ^ next;
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
#define FOLDED_MIN 64
#define FOLDING __attribute__((target("avx512f,vpclmulqdq,pclmul,sse4.2")))

// Pairs of x^(n + 31) and x^(n - 33) mod P, reflected, for the n by which the four products at once
// move: all alike, or each to where the fourth is, which itself stays.
static uint64_t by_2048[8], by_512[8], by_lane[8];

// Moves `value` on, to where `next` is, and adds it there.
FOLDING static inline __m512i moved(__m512i value, __m512i factors, __m512i next) {
    return _mm512_ternarylogic_epi64(
        _mm512_clmulepi64_epi128(value, factors, 0x00),
        _mm512_clmulepi64_epi128(value, factors, 0x11), next, 0x96);
}

// The crc of 64 bytes.
FOLDING static inline uint32_t reduced(__m512i value) {
    __m512i one = moved(value, _mm512_loadu_si512(by_lane), _mm512_maskz_mov_epi64(0xc0, value));
    __m256i half = _mm256_xor_si256(
        _mm512_castsi512_si256(one), _mm512_extracti64x4_epi64(one, 1));
    __m128i last = _mm_xor_si128(
        _mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    uint64_t state = STEP8(0, (uint64_t)_mm_cvtsi128_si64(last));
    return (uint32_t)STEP8(state, (uint64_t)_mm_extract_epi64(last, 1));
}

FOLDING static inline uint32_t update_by_folding(uint32_t start, const uint8_t *p, size_t count) {
    if (count < FOLDED_MIN) return update_by_instruction(start, p, count);
    __m512i a = _mm512_xor_si512(
        _mm512_loadu_si512(p), _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)start)));
    const __m512i near = _mm512_loadu_si512(by_512);
    p += 64;
    count -= 64;
    if (count >= 192) {
        __m512i b = _mm512_loadu_si512(p);
        __m512i c = _mm512_loadu_si512(p + 64);
        __m512i d = _mm512_loadu_si512(p + 128);
        p += 192;
        count -= 192;
        const __m512i far = _mm512_loadu_si512(by_2048);
        for (; count >= 256; p += 256, count -= 256) {
            a = moved(a, far, _mm512_loadu_si512(p));
            b = moved(b, far, _mm512_loadu_si512(p + 64));
            c = moved(c, far, _mm512_loadu_si512(p + 128));
            d = moved(d, far, _mm512_loadu_si512(p + 192));
        }
        a = moved(moved(moved(a, near, b), near, c), near, d);
    }
    for (; count >= 64; p += 64, count -= 64) a = moved(a, near, _mm512_loadu_si512(p));
    uint64_t state = reduced(a);
    for (; count >= 8; p += 8, count -= 8) state = STEP8(state, load64(p));
    // There are bytes enough before the last ones to load a whole word.
    if (count > 0) state = part_of_word(state, load64(p + count - 8) >> (64 - 8 * count), count);
    return (uint32_t)state;
}

FOLDING static inline uint32_t folded_with_head(
    uint32_t state, uint64_t low, uint64_t high, size_t head_count, const uint8_t *p,
    size_t count) {
    uint64_t own = STEP8(state, low);
    if (head_count > 8) own = part_of_word(own, high, head_count - 8);
    return update_by_folding((uint32_t)own, p, count);
}

// Short inputs go on from zero, and what `state` adds to the whole is xored in last: the processor
// starts on the next input before this one is done.
FOLDING static uint32_t headed_by_folding(
    uint32_t state, uint64_t low, uint64_t high, size_t head_count, const uint8_t *p,
    size_t count) {
    size_t whole = head_count + count;
    if (__builtin_expect(whole > JOINED_MAX, 0))
        return folded_with_head(state, low, high, head_count, p, count);
    return join(state, folded_with_head(0, low, high, head_count, p, count), whole);
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

static uint32_t headed_by_two(
    uint32_t state, uint64_t low, uint64_t high, size_t head_count, const uint8_t *p,
    size_t count) {
    const uint64_t head[2] = {low, high};
    return update(update(state, (const uint8_t *)head, head_count), p, count);
}

static uint32_t (*update_headed)(
    uint32_t, uint64_t, uint64_t, size_t, const uint8_t *, size_t) = headed_by_two;

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
    byte_folds[JOINED_MIN] = 1u << 24;  // x^7
    for (int n = JOINED_MIN + 1; n <= JOINED_MAX; n++)
        byte_folds[n] = multiply(byte_folds[n - 1], powers[0]);
    // folds[n] has x^(64 n - 33): x^(2048 + 31) is that of 33 words.
    for (int i = 0; i < 8; i += 2) {
        by_2048[i] = folds[33], by_2048[i + 1] = folds[32];
        by_512[i] = folds[9], by_512[i + 1] = folds[8];
        if (i < 6) by_lane[i] = folds[7 - i], by_lane[i + 1] = folds[6 - i];
    }
#endif
#if defined(ACCELERATED)
    if (has_instruction()) update = update_by_instruction;
#endif
#if defined(__x86_64__)
    if (has_instruction() && can_fold()) {
        update = update_by_folding;
        update_headed = headed_by_folding;
    }
#endif
}

uint32_t kvd_crc32c(uint32_t crc, const void *bytes, size_t count) {
    return ~update(~crc, bytes, count);
}

uint32_t kvd_crc32c_headed(
    uint32_t crc, uint64_t low, uint64_t high, size_t head_count, const void *bytes,
    size_t count) {
    return ~update_headed(~crc, low, high, head_count, bytes, count);
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
