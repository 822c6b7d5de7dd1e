/* Is this text YAML may be written in? UTF-8, printable; says where it is not. libyaml checks the same but gives a byte
 * offset only, and would take UTF-16. */
#include "yaml_text.h"

#include <string.h>

struct position {
    size_t line, column;
};

/* Bytes of the character at `bytes`, 0 when it is no UTF-8 (RFC 3629: no surrogates, no overlong forms, no more than
 * U+10FFFF). */
static size_t decode(const unsigned char *bytes, size_t left, uint32_t *character)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t width = bytes[0] < 0x80 ? 1 : bytes[0] >> 5 == 6 ? 2 : bytes[0] >> 4 == 14 ? 3 : bytes[0] >> 3 == 30 ? 4 : 0;
    if (!width || width > left)
        return 0;
    uint32_t value = width == 1 ? bytes[0] : bytes[0] & (0x7f >> width);
    for (size_t i = 1; i < width; i++) {
        if (bytes[i] >> 6 != 2)
            return 0;
        value = value << 6 | (bytes[i] & 0x3f);
    }
    *character = value;
    return value < least[width] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000) ? 0 : width;
}

/* YAML 1.2.2 section 5.1, "c-printable", less the byte order mark. */
static bool is_printable(uint32_t character)
{
    if (character < 0x20)
        return character == '\t' || character == '\n' || character == '\r';
    if (character < 0xa0)
        return character < 0x7f || character == 0x85;
    return character != 0xfeff && character != 0xfffe && character != 0xffff;
}

static int refuse(struct sys_error *error, struct position at, const char *reason, uint32_t character)
{
    if (!reason)
        return sys_error_set(error, "EINVAL", "%zu:%zu: the character U+%04X may not stand in YAML text", at.line,
                             at.column, (unsigned)character);
    return sys_error_set(error, "EINVAL", "%zu:%zu: %s", at.line, at.column, reason);
}

static bool looks_utf16(const char *text, size_t length)
{
    return length >= 2 && (!memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2));
}

int yaml_text_check(const char *text, size_t length, struct sys_error *error)
{
    struct position at = { 1, 1 };
    if (looks_utf16(text, length))
        return refuse(error, at, "this is UTF-16 text; save it as UTF-8", 0);
    for (size_t i = yaml_text_bom(text, length); i < length;) {
        uint32_t character = 0;
        size_t width = decode((const unsigned char *)text + i, length - i, &character);
        if (!width)
            return refuse(error, at, "this byte is not UTF-8 text", 0);
        if (!character)
            return refuse(error, at, "a NUL byte; this is no text file", 0);
        if (!is_printable(character))
            return refuse(error, at, NULL, character);
        i += width;
        at.column++;
        if (character == '\n')
            at = (struct position){ at.line + 1, 1 };
    }
    return 0;
}

size_t yaml_text_bom(const char *text, size_t length)
{
    return length >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
}
