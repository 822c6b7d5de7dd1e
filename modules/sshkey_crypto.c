/* The arithmetic of ECDSA P-256 keys, by Mbed TLS; randomness is the kernel's getrandom through its entropy module. */
#include "sshkey.h"

#include <mbedtls/base64.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/entropy.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>
#include <string.h>

#define SHA256_BYTES 32

void sshkey_wipe(void *memory, size_t length)
{
    mbedtls_platform_zeroize(memory, length);
}

/* A seeded generator and a key, freed together. */
struct crypto {
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_ecp_keypair pair;
};

static int crypto_open(struct crypto *crypto)
{
    static const char purpose[] = "holos sshkey";
    mbedtls_entropy_init(&crypto->entropy);
    mbedtls_ctr_drbg_init(&crypto->random);
    mbedtls_ecp_keypair_init(&crypto->pair);
    return mbedtls_ctr_drbg_seed(&crypto->random, mbedtls_entropy_func, &crypto->entropy, (const uint8_t *)purpose,
                                 sizeof purpose);
}

static void crypto_close(struct crypto *crypto)
{
    mbedtls_ecp_keypair_free(&crypto->pair);
    mbedtls_ctr_drbg_free(&crypto->random);
    mbedtls_entropy_free(&crypto->entropy);
}

static int generate(struct crypto *crypto, struct sshkey *key, uint32_t *check)
{
    size_t length;
    int failed = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, &crypto->pair, mbedtls_ctr_drbg_random, &crypto->random);
    if (!failed)
        failed = mbedtls_ecp_write_key_ext(&crypto->pair, &length, key->scalar, sizeof key->scalar);
    if (!failed)
        failed = mbedtls_ecp_write_public_key(&crypto->pair, MBEDTLS_ECP_PF_UNCOMPRESSED, &length, key->point,
                                              sizeof key->point);
    if (!failed)
        failed = mbedtls_ctr_drbg_random(&crypto->random, (uint8_t *)check, sizeof *check);
    return failed;
}

int sshkey_generate(struct sshkey *key, uint32_t *check)
{
    struct crypto crypto;
    memset(key, 0, sizeof *key);
    int failed = crypto_open(&crypto);
    if (!failed)
        failed = generate(&crypto, key, check);
    crypto_close(&crypto);
    return failed ? -EIO : 0;
}

int sshkey_check_pair(const struct sshkey *key)
{
    struct crypto crypto;
    uint8_t point[SSHKEY_POINT_BYTES] = { 0 };
    size_t length;
    int failed = crypto_open(&crypto), result = failed ? -EIO : 0;
    if (!failed)
        failed = mbedtls_ecp_read_key(MBEDTLS_ECP_DP_SECP256R1, &crypto.pair, key->scalar, sizeof key->scalar);
    if (!failed)
        failed = mbedtls_ecp_keypair_calc_public(&crypto.pair, mbedtls_ctr_drbg_random, &crypto.random);
    if (!failed)
        failed = mbedtls_ecp_write_public_key(&crypto.pair, MBEDTLS_ECP_PF_UNCOMPRESSED, &length, point, sizeof point);
    if (!result && (failed || memcmp(point, key->point, sizeof point) != 0))
        result = -EINVAL;
    crypto_close(&crypto);
    return result;
}

/* The numbers of one signature, freed together. */
struct signing {
    mbedtls_ecp_group group;
    mbedtls_mpi secret, r, s;
};

static void signing_open(struct signing *signing)
{
    mbedtls_ecp_group_init(&signing->group);
    mbedtls_mpi_init(&signing->secret);
    mbedtls_mpi_init(&signing->r);
    mbedtls_mpi_init(&signing->s);
}

static void signing_close(struct signing *signing)
{
    mbedtls_ecp_group_free(&signing->group);
    mbedtls_mpi_free(&signing->secret);
    mbedtls_mpi_free(&signing->r);
    mbedtls_mpi_free(&signing->s);
}

/* RFC 6979 makes the nonce from key and message, so that a weak generator cannot give the key away. */
static int sign(struct crypto *crypto, struct signing *signing, const struct sshkey *key, const uint8_t *digest)
{
    int failed = mbedtls_ecp_group_load(&signing->group, MBEDTLS_ECP_DP_SECP256R1);
    if (!failed)
        failed = mbedtls_mpi_read_binary(&signing->secret, key->scalar, sizeof key->scalar);
    if (!failed)
        failed = mbedtls_ecdsa_sign_det_ext(&signing->group, &signing->r, &signing->s, &signing->secret, digest,
                                            SHA256_BYTES, MBEDTLS_MD_SHA256, mbedtls_ctr_drbg_random, &crypto->random);
    return failed;
}

int sshkey_sign(const struct sshkey *key, const void *data, size_t length, uint8_t r[SSHKEY_SCALAR_BYTES],
                uint8_t s[SSHKEY_SCALAR_BYTES])
{
    struct crypto crypto;
    struct signing signing;
    uint8_t digest[SHA256_BYTES];
    signing_open(&signing);
    int failed = crypto_open(&crypto);
    if (!failed)
        failed = mbedtls_sha256(data, length, digest, 0);
    if (!failed)
        failed = sign(&crypto, &signing, key, digest);
    if (!failed)
        failed = mbedtls_mpi_write_binary(&signing.r, r, SSHKEY_SCALAR_BYTES);
    if (!failed)
        failed = mbedtls_mpi_write_binary(&signing.s, s, SSHKEY_SCALAR_BYTES);
    crypto_close(&crypto);
    signing_close(&signing);
    return failed ? -EINVAL : 0;
}

int sshkey_fingerprint(const uint8_t *blob, size_t length, char text[SSHKEY_FINGERPRINT_BYTES])
{
    uint8_t digest[SHA256_BYTES];
    size_t base64_length = 0;
    char *at = stpcpy(text, "SHA256:");
    if (mbedtls_sha256(blob, length, digest, 0) ||
        mbedtls_base64_encode((uint8_t *)at, SSHKEY_FINGERPRINT_BYTES - (size_t)(at - text), &base64_length, digest,
                              sizeof digest))
        return -EIO;
    while (base64_length && at[base64_length - 1] == '=')
        at[--base64_length] = '\0';
    return 0;
}
