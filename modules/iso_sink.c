/* Buffered writing of an image from its first byte to its last. */
#include <string.h>

#include "bytes.h"
#include "iso.h"

void iso_sink_flush(struct iso_sink *sink)
{
    const uint8_t *from = sink->buffer;
    while (sink->used && !sink->error) {
        ssize_t put = write(sink->fd, from, sink->used);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            sink->error = put < 0 ? errno : ENOSPC;
            return;
        }
        from += put;
        sink->used -= (size_t)put;
    }
}

void iso_sink_put(struct iso_sink *sink, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    sink->position += length;
    while (length && !sink->error) {
        size_t room = sizeof sink->buffer - sink->used;
        size_t now = length < room ? length : room;
        memcpy(sink->buffer + sink->used, from, now);
        sink->used += now;
        from += now;
        length -= now;
        if (sink->used == sizeof sink->buffer)
            iso_sink_flush(sink);
    }
}

void iso_sink_zero(struct iso_sink *sink, uint64_t length)
{
    static const uint8_t zeros[ISO_SECTOR_BYTES];
    for (; length && !sink->error;) {
        size_t now = length < sizeof zeros ? (size_t)length : sizeof zeros;
        iso_sink_put(sink, zeros, now);
        length -= now;
    }
}

void iso_sink_seek(struct iso_sink *sink, uint32_t sector)
{
    uint64_t wanted = (uint64_t)sector * ISO_SECTOR_BYTES;
    if (wanted < sink->position)
        sink->error = sink->error ? sink->error : EINVAL;
    else
        iso_sink_zero(sink, wanted - sink->position);
}

void iso_put_both16(uint8_t *to, uint16_t value)
{
    put_le16(to, value);
    put_be16(to + 2, value);
}

void iso_put_both32(uint8_t *to, uint32_t value)
{
    put_le32(to, value);
    put_be32(to + 4, value);
}
