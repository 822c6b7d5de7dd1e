/* OpenSSH's key formats: openssh-key-v1 (PROTOCOL.key of OpenSSH) and public lines (RFC 4253, 6.6; RFC 5656, 3.1). */
#include "sshkey.h"

#include <mbedtls/base64.h>
#include <stdio.h>
#include <string.h>

#define ARMOUR_BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----\n"
#define ARMOUR_END "-----END OPENSSH PRIVATE KEY-----\n"
#define ARMOUR_COLUMNS 70
#define MAGIC "openssh-key-v1" /* with its NUL */
#define CIPHER_BLOCK_BYTES 8   /* of the cipher "none": the private part is padded to it */
#define BODY_BYTES 1024        /* an armoured file of ours is at most 815 bytes inside */

/* -- reading: every length is checked against what is left --------------------------------------------------------- */

struct reader {
    const uint8_t *at;
    size_t left;
    bool failed;
};

static const uint8_t *read_bytes(struct reader *reader, size_t count)
{
    if (reader->failed || count > reader->left) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *bytes = reader->at;
    reader->at += count;
    reader->left -= count;
    return bytes;
}

static uint32_t read_u32(struct reader *reader)
{
    const uint8_t *b = read_bytes(reader, 4);
    return b ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3] : 0;
}

/* A string of the SSH protocol: u32 length, then the bytes. */
static struct reader read_string(struct reader *reader)
{
    size_t length = read_u32(reader);
    const uint8_t *bytes = read_bytes(reader, length);
    return (struct reader){ .at = bytes, .left = bytes ? length : 0, .failed = !bytes };
}

static bool is_text(const struct reader *string, const char *text)
{
    return !string->failed && string->left == strlen(text) && !memcmp(string->at, text, string->left);
}

static bool read_text(struct reader *reader, const char *text)
{
    struct reader string = read_string(reader);
    return is_text(&string, text);
}

/* -- writing into buffers whose sizes are known to do -------------------------------------------------------------- */

struct writer {
    uint8_t *at;
};

static void put_bytes(struct writer *writer, const void *bytes, size_t count)
{
    memcpy(writer->at, bytes, count);
    writer->at += count;
}

static void put_u32(struct writer *writer, uint32_t number)
{
    uint8_t bytes[4] = { (uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number };
    put_bytes(writer, bytes, sizeof bytes);
}

static void put_string(struct writer *writer, const void *bytes, size_t count)
{
    put_u32(writer, (uint32_t)count);
    put_bytes(writer, bytes, count);
}

static void put_text(struct writer *writer, const char *text)
{
    put_string(writer, text, strlen(text));
}

/* A positive mpint: no leading zero bytes, but one before a set top bit (RFC 4251, 5). */
static void put_mpint(struct writer *writer, const uint8_t *bytes, size_t count)
{
    for (; count > 0 && !*bytes; count--)
        bytes++;
    bool is_padded = count > 0 && *bytes & 0x80;
    put_u32(writer, (uint32_t)(count + is_padded));
    if (is_padded)
        put_bytes(writer, "", 1);
    put_bytes(writer, bytes, count);
}

static void put_public(struct writer *writer, const struct sshkey *key)
{
    put_text(writer, SSHKEY_TYPE);
    put_text(writer, SSHKEY_CURVE);
    put_string(writer, key->point, sizeof key->point);
}

/* -- private files ------------------------------------------------------------------------------------------------- */

bool sshkey_is_comment(const char *text, size_t length)
{
    if (length > SSHKEY_COMMENT_BYTES)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return false;
    return true;
}

static bool read_point(struct reader *reader, uint8_t point[SSHKEY_POINT_BYTES])
{
    struct reader string = read_string(reader);
    if (string.failed || string.left != SSHKEY_POINT_BYTES || string.at[0] != 0x04)
        return false;
    memcpy(point, string.at, SSHKEY_POINT_BYTES);
    return true;
}

static bool read_scalar(struct reader *reader, uint8_t scalar[SSHKEY_SCALAR_BYTES])
{
    struct reader string = read_string(reader);
    if (string.failed || !string.left || string.at[0] & 0x80)
        return false;
    for (; string.left > 0 && !*string.at; string.left--)
        string.at++;
    if (string.left > SSHKEY_SCALAR_BYTES)
        return false;
    memset(scalar, 0, SSHKEY_SCALAR_BYTES);
    memcpy(scalar + SSHKEY_SCALAR_BYTES - string.left, string.at, string.left);
    return true;
}

static bool read_comment(struct reader *reader, char comment[SSHKEY_COMMENT_BYTES + 1])
{
    struct reader string = read_string(reader);
    if (string.failed || !sshkey_is_comment((const char *)string.at, string.left))
        return false;
    memcpy(comment, string.at, string.left);
    comment[string.left] = '\0';
    return true;
}

static bool is_padding(const struct reader *rest)
{
    for (size_t i = 0; i < rest->left; i++)
        if (rest->at[i] != i + 1)
            return false;
    return rest->left < CIPHER_BLOCK_BYTES;
}

/* The private part: check twice, the key, its comment, padding 1, 2, 3, … */
static int read_secret(struct reader part, struct sshkey *key, struct sys_error *error)
{
    uint8_t point[SSHKEY_POINT_BYTES];
    uint32_t check = read_u32(&part);
    if (read_u32(&part) != check || part.failed)
        return sys_error_set(error, "EINVAL", "private key: the two check numbers differ");
    if (!read_text(&part, SSHKEY_TYPE) || !read_text(&part, SSHKEY_CURVE) || !read_point(&part, point))
        return sys_error_set(error, "EINVAL", "private key: the private part holds no %s key", SSHKEY_TYPE);
    if (memcmp(point, key->point, sizeof point) != 0)
        return sys_error_set(error, "EINVAL", "private key: the public and the private part differ");
    if (!read_scalar(&part, key->scalar))
        return sys_error_set(error, "EINVAL", "private key: the private number is no number of 256 bits");
    if (!read_comment(&part, key->comment))
        return sys_error_set(error, "EINVAL", "private key: the comment is too long or has control characters");
    if (!is_padding(&part))
        return sys_error_set(error, "EINVAL", "private key: damaged after the comment");
    return 0;
}

static int read_body(struct reader body, struct sshkey *key, struct sys_error *error)
{
    const uint8_t *magic = read_bytes(&body, sizeof MAGIC);
    if (!magic || memcmp(magic, MAGIC, sizeof MAGIC) != 0)
        return sys_error_set(error, "EINVAL", "private key: not in the format openssh-key-v1");
    bool has_cipher = !read_text(&body, "none"), has_derivation = !read_text(&body, "none");
    if (has_cipher || has_derivation || !read_text(&body, ""))
        return sys_error_set(error, "EINVAL", "private key: protected by a passphrase or damaged");
    if (read_u32(&body) != 1)
        return sys_error_set(error, "EINVAL", "private key: not exactly one key in it");
    struct reader blob = read_string(&body);
    bool is_ours = read_text(&blob, SSHKEY_TYPE) && read_text(&blob, SSHKEY_CURVE) && read_point(&blob, key->point);
    if (!is_ours || blob.left)
        return sys_error_set(error, "EINVAL", "private key: not of the type %s", SSHKEY_TYPE);
    struct reader secret = read_string(&body);
    if (secret.failed || body.left || secret.left % CIPHER_BLOCK_BYTES)
        return sys_error_set(error, "EINVAL", "private key: cut off or with bytes after its end");
    return read_secret(secret, key, error);
}

/* The base64 text between the armour lines, NULL when there is none. */
static const char *find_armoured(const char *text, size_t length, size_t *armoured_length)
{
    static const size_t begin_length = sizeof ARMOUR_BEGIN - 1, end_length = sizeof ARMOUR_END - 2;
    if (length < begin_length || memcmp(text, ARMOUR_BEGIN, begin_length) != 0)
        return NULL;
    const char *from = text + begin_length;
    const char *end = memmem(from, length - begin_length, ARMOUR_END, end_length);
    *armoured_length = end ? (size_t)(end - from) : 0;
    return end ? from : NULL;
}

int sshkey_parse_private(const char *text, size_t length, struct sshkey *key, struct sys_error *error)
{
    uint8_t body[BODY_BYTES];
    size_t armoured_length, body_length;
    memset(key, 0, sizeof *key);
    const char *armoured = find_armoured(text, length, &armoured_length);
    if (!armoured)
        return sys_error_set(error, "EINVAL", "private key: no OPENSSH PRIVATE KEY between BEGIN and END lines");
    int got = mbedtls_base64_decode(body, sizeof body, &body_length, (const uint8_t *)armoured, armoured_length);
    if (got == MBEDTLS_ERR_BASE64_BUFFER_TOO_SMALL)
        got = sys_error_set(error, "EINVAL", "private key: too long for one of the type %s", SSHKEY_TYPE);
    else if (got)
        got = sys_error_set(error, "EINVAL", "private key: not base64 between the BEGIN and END lines");
    else
        got = read_body((struct reader){ .at = body, .left = body_length }, key, error);
    sshkey_wipe(body, sizeof body);
    if (got < 0)
        sshkey_wipe(key, sizeof *key);
    return got;
}

static size_t write_secret(const struct sshkey *key, uint32_t check, uint8_t *secret)
{
    struct writer writer = { .at = secret };
    put_u32(&writer, check);
    put_u32(&writer, check);
    put_public(&writer, key);
    put_mpint(&writer, key->scalar, sizeof key->scalar);
    put_text(&writer, key->comment);
    for (uint8_t i = 1; (size_t)(writer.at - secret) % CIPHER_BLOCK_BYTES; i++)
        put_bytes(&writer, &i, 1);
    return (size_t)(writer.at - secret);
}

static size_t write_body(const struct sshkey *key, uint32_t check, uint8_t *body)
{
    uint8_t scratch[BODY_BYTES];
    struct writer writer = { .at = body }, blob = { .at = scratch };
    put_bytes(&writer, MAGIC, sizeof MAGIC);
    put_text(&writer, "none");
    put_text(&writer, "none");
    put_text(&writer, "");
    put_u32(&writer, 1);
    put_public(&blob, key);
    put_string(&writer, scratch, (size_t)(blob.at - scratch));
    put_string(&writer, scratch, write_secret(key, check, scratch));
    sshkey_wipe(scratch, sizeof scratch);
    return (size_t)(writer.at - body);
}

/* Puts `base64` in lines between the armour lines. */
static size_t write_armour(const char *base64, size_t length, char *text)
{
    char *at = stpcpy(text, ARMOUR_BEGIN);
    for (size_t from = 0; from < length; from += ARMOUR_COLUMNS) {
        size_t count = length - from < ARMOUR_COLUMNS ? length - from : ARMOUR_COLUMNS;
        at = mempcpy(at, base64 + from, count);
        *at++ = '\n';
    }
    return (size_t)(stpcpy(at, ARMOUR_END) - text);
}

size_t sshkey_write_private(const struct sshkey *key, uint32_t check, char text[SSHKEY_PRIVATE_BYTES])
{
    uint8_t body[BODY_BYTES];
    char base64[SSHKEY_PRIVATE_BYTES];
    size_t base64_length = 0;
    mbedtls_base64_encode((uint8_t *)base64, sizeof base64, &base64_length, body, write_body(key, check, body));
    size_t length = write_armour(base64, base64_length, text);
    sshkey_wipe(body, sizeof body);
    sshkey_wipe(base64, sizeof base64);
    return length;
}

/* -- public lines -------------------------------------------------------------------------------------------------- */

static size_t word_length(const char *text, size_t length)
{
    size_t count = 0;
    while (count < length && text[count] > ' ' && text[count] < 0x7f)
        count++;
    return count;
}

int sshkey_parse_line(const char *text, size_t length, struct sshkey_line *line, struct sys_error *error)
{
    line->type = text;
    line->type_length = word_length(text, length);
    if (!line->type_length || line->type_length + 1 >= length || text[line->type_length] != ' ')
        return sys_error_set(error, "EINVAL", "public key: not of the form \"type base64 comment\"");
    const char *base64 = text + line->type_length + 1;
    size_t base64_length = word_length(base64, length - line->type_length - 1);
    if (mbedtls_base64_decode(line->blob, sizeof line->blob, &line->blob_length, (const uint8_t *)base64,
                              base64_length))
        return sys_error_set(error, "EINVAL", "public key: its second word is not base64 or too long");
    struct reader blob = { .at = line->blob, .left = line->blob_length }, type = read_string(&blob);
    if (type.failed || type.left != line->type_length || memcmp(type.at, line->type, type.left) != 0)
        return sys_error_set(error, "EINVAL", "public key: the type before the key and the type in it differ");
    return 0;
}

size_t sshkey_write_line(const struct sshkey *key, char text[SSHKEY_PUBLIC_BYTES])
{
    uint8_t blob[SSHKEY_PUBLIC_BYTES];
    struct writer writer = { .at = blob };
    put_public(&writer, key);
    size_t base64_length = 0;
    char *at = stpcpy(text, SSHKEY_TYPE " ");
    mbedtls_base64_encode((uint8_t *)at, SSHKEY_PUBLIC_BYTES - (size_t)(at - text), &base64_length, blob,
                          (size_t)(writer.at - blob));
    at += base64_length;
    int comment_length = sprintf(at, "%s%s", *key->comment ? " " : "", key->comment);
    return (size_t)(at - text) + (size_t)comment_length;
}
