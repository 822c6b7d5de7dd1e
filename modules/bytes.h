/* Numbers of fixed width and byte order in memory, for on-disk formats. */
#ifndef HOLOS_BYTES_H
#define HOLOS_BYTES_H

#include <stdint.h>

static inline void put_le16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
}

static inline void put_le32(uint8_t *to, uint32_t value)
{
    put_le16(to, (uint16_t)value);
    put_le16(to + 2, (uint16_t)(value >> 16));
}

static inline void put_be16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static inline void put_be32(uint8_t *to, uint32_t value)
{
    put_be16(to, (uint16_t)(value >> 16));
    put_be16(to + 2, (uint16_t)value);
}

static inline void put_be64(uint8_t *to, uint64_t value)
{
    put_be32(to, (uint32_t)(value >> 32));
    put_be32(to + 4, (uint32_t)value);
}

static inline uint16_t get_be16(const uint8_t *from)
{
    return (uint16_t)(from[0] << 8 | from[1]);
}

static inline uint32_t get_be32(const uint8_t *from)
{
    return (uint32_t)get_be16(from) << 16 | get_be16(from + 2);
}

static inline uint64_t get_be64(const uint8_t *from)
{
    return (uint64_t)get_be32(from) << 32 | get_be32(from + 4);
}

#endif
