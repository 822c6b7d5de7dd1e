/*
 * LZ4 "legacy" frame (doc/lz4_Frame_format.md): a magic number, then blocks, each after its packed length.
 * The input is what the image recipe has just packed, so it is not checked. Runs before the kernel, 32-bit, alone.
 */
typedef unsigned char u8;
typedef unsigned int u32;

static u32 load32(const u8 *at)
{
    return *(const u32 *)at;
}

/* Copies in words, up to 7 bytes more than asked: what comes after is still to be written. */
static void copy(u8 *to, const u8 *from, u32 length)
{
    u8 *end = to + length;

    while (to < end) {
        ((u32 *)to)[0] = ((const u32 *)from)[0];
        ((u32 *)to)[1] = ((const u32 *)from)[1];
        to += 8;
        from += 8;
    }
}

static u32 more_length(const u8 **in)
{
    u32 sum = 0;
    u8 next;

    do {
        next = *(*in)++;
        sum += next;
    } while (next == 255);
    return sum;
}

static void copy_match(u8 *out, u32 offset, u32 length)
{
    if (offset >= 8)
        copy(out, out - offset, length);
    else
        while (length--) {
            *out = *(out - offset);
            out++;
        }
}

static u8 *unpack_block(u8 *out, const u8 *in, const u8 *end)
{
    while (in < end) {
        u32 token = *in++;
        u32 literals = token >> 4;
        u32 match = token & 15;
        u32 offset;

        if (literals == 15)
            literals += more_length(&in);
        copy(out, in, literals);
        out += literals;
        in += literals;
        if (in >= end)
            break;
        offset = in[0] | in[1] << 8;
        in += 2;
        if (match == 15)
            match += more_length(&in);
        copy_match(out, offset, match + 4);
        out += match + 4;
    }
    return out;
}

void unpack(const u8 *in, const u8 *end, u8 *out);

void unpack(const u8 *in, const u8 *end, u8 *out)
{
    in += 4;
    while (in < end) {
        u32 length = load32(in);

        in += 4;
        out = unpack_block(out, in, in + length);
        in += length;
    }
}
