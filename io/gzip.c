/* gzip.c: zlib over blocks of the allocation seam. */
#include "gzip.h"

#include <limits.h>

#include "tern/memory.h"
#include "zlib_memory.h"

enum { FIRST_ROOM = 1 << 16, GZIP_ONLY = 16 };

bool tern_is_gzip(const unsigned char *bytes, size_t size) {
    return size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

typedef struct unpacking {
    z_stream z;
    const unsigned char *end; /* of the packed bytes */
    unsigned char *out;
    size_t used, room, most;
} unpacking;

/* Room for more output; one byte stays for the zero at the end. */
static bool grow(unpacking *u) {
    if (u->room - u->used > 1) return true;
    size_t room = u->room < u->most / 2 ? u->room * 2 : u->most + 1;
    unsigned char *moved = tern_realloc(u->out, u->room, room);
    if (!moved) return false;
    u->out = moved;
    u->room = room;
    return true;
}

/* One call of inflate, over pieces that its 32-bit counts can hold. */
static int step(unpacking *u) {
    size_t in = (size_t)(u->end - u->z.next_in), room = u->room - u->used - 1;
    u->z.avail_in = in < UINT_MAX ? (uInt)in : UINT_MAX;
    u->z.avail_out = room < UINT_MAX ? (uInt)room : UINT_MAX;
    u->z.next_out = u->out + u->used;
    int result = inflate(&u->z, Z_NO_FLUSH);
    u->used = (size_t)(u->z.next_out - u->out);
    if (result == Z_STREAM_END && tern_is_gzip(u->z.next_in, (size_t)(u->end - u->z.next_in)))
        return inflateReset(&u->z);
    return result;
}

static int unpack_all(unpacking *u) {
    int result = Z_OK;
    while (result == Z_OK && u->used < u->most) {
        if (!grow(u)) return Z_MEM_ERROR;
        result = step(u);
    }
    return result;
}

tern_status tern_gunzip(tern_ctx *ctx, const char *path, const unsigned char *bytes, size_t size,
                        size_t most, unsigned char **out_bytes, size_t *out_size) {
    unpacking u = {.z = {.zalloc = tern_zlib_alloc, .zfree = tern_zlib_free}, .end = bytes + size};
    u.most = most < SIZE_MAX / 2 ? most : SIZE_MAX / 2;
    u.room = u.most < FIRST_ROOM ? u.most + 1 : FIRST_ROOM;
    u.out = tern_alloc(u.room);
    u.z.next_in = (z_const Bytef *)bytes;
    *out_bytes = NULL;
    *out_size = 0;
    int result = Z_MEM_ERROR;
    if (u.out && inflateInit2(&u.z, GZIP_ONLY + MAX_WBITS) == Z_OK) {
        result = unpack_all(&u);
        inflateEnd(&u.z);
    }
    if (result == Z_STREAM_END || result == Z_OK) {
        u.out[u.used] = 0;
        *out_bytes = u.out;
        *out_size = u.used;
        return TERN_OK;
    }
    tern_free(u.out);
    if (result == Z_MEM_ERROR)
        return tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "%s: no memory to unpack it", path);
    return tern_fail(ctx, TERN_ERR_FORMAT, "%s: damaged gzip file: %s", path,
                     result == Z_BUF_ERROR ? "it is truncated"
                                           : (u.z.msg ? u.z.msg : "its content is damaged"));
}
