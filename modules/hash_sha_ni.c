/* SHA-256 by the instructions that processors of x86-64 have for it, where they do: Mbed TLS uses those of Arm alone, and in
 * C it takes several times as long. Names of states and schedules are those of FIPS 180-4. */
#include "hash.h"

#include <string.h>

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>

#define TARGET __attribute__((target("sha,sse4.1")))

static const uint32_t constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
};

bool hash_has_sha_ni(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSSE3) || !(c & bit_SSE4_1))
        return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

/* Four words of the schedule from the sixteen before them. */
TARGET static inline __m128i next_words(const __m128i w[4], size_t i)
{
    __m128i last = w[(i + 3) & 3];
    __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]),
                                _mm_alignr_epi8(last, w[(i + 2) & 3], 4));
    return _mm_sha256msg2_epu32(sum, last);
}

/* The instructions want a, b, e, f in one register and c, d, g, h in the other. */
TARGET static void take_block(__m128i *abef, __m128i *cdgh, const unsigned char *data)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bll, 0x0405060700010203ll);
    __m128i abef_before = *abef, cdgh_before = *cdgh, w[4];
#pragma GCC unroll 16
    for (size_t i = 0; i < 16; i++) {
        w[i & 3] = i < 4 ? _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data + 16 * i)), big_endian)
                         : next_words(w, i);
        __m128i sum = _mm_add_epi32(w[i & 3], _mm_load_si128((const __m128i *)(constants + 4 * i)));
        *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, sum);
        *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32(sum, 0x0e));
    }
    *abef = _mm_add_epi32(*abef, abef_before);
    *cdgh = _mm_add_epi32(*cdgh, cdgh_before);
}

TARGET static void take_blocks(uint32_t state[8], const unsigned char *data, size_t count)
{
    __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
    __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
    for (; count; count--, data += 64)
        take_block(&abef, &cdgh, data);
    __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}
#else
bool hash_has_sha_ni(void)
{
    return false;
}

static void take_blocks(uint32_t state[8], const unsigned char *data, size_t count)
{
    (void)state, (void)data, (void)count;
}
#endif

void hash_ni_start(struct hash_ni *hash)
{
    *hash = (struct hash_ni){ .state = {
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    } };
}

void hash_ni_update(struct hash_ni *hash, const unsigned char *data, size_t length)
{
    size_t kept = hash->total_bytes % 64;
    hash->total_bytes += length;
    if (kept) {
        size_t more = length < 64 - kept ? length : 64 - kept;
        memcpy(hash->block + kept, data, more);
        if (kept + more < 64)
            return;
        take_blocks(hash->state, hash->block, 1);
        data += more;
        length -= more;
    }
    take_blocks(hash->state, data, length / 64);
    memcpy(hash->block, data + length / 64 * 64, length % 64);
}

static void put_big_endian(unsigned char *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (unsigned char)(value >> 8 * (bytes - 1 - i));
}

/* FIPS 180-4, 5.1.1: a one, zeros, the length in bits. */
void hash_ni_finish(struct hash_ni *hash, unsigned char digest[32])
{
    unsigned char padding[72] = { 0x80 };
    uint64_t bits = hash->total_bytes * 8;
    size_t zeros = (119 - hash->total_bytes % 64) % 64; /* and the one: up to 56 behind a multiple of 64 */
    put_big_endian(padding + 1 + zeros, bits, 8);
    hash_ni_update(hash, padding, 1 + zeros + 8);
    for (size_t i = 0; i < 8; i++)
        put_big_endian(digest + 4 * i, hash->state[i], 4);
}
