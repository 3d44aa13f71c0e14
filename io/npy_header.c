/* npy_header.c: the headers of .npy files: a Python dict literal of three keys, and nothing else. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "npy.h"
#include "tern/memory.h"
#include "utf8.h"

enum { MAX_HEADER = 10000 }; /* numpy's own limit */

static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

/* ---- dtypes ---------------------------------------------------------------------------------- */

static const struct {
    const char *descr, *name;
    tern_dtype dtype;
    uint32_t element, unit;
} dtypes[] = {
    {"f4", "float32", TERN_FLOAT32, 4, 4},
    {"f8", "float64", TERN_FLOAT64, 8, 8},
    {"f2", "float16", TERN_FLOAT16, 2, 2},
    {"i8", "int64", TERN_INT64, 8, 8},
    {"i4", "int32", TERN_INT32, 4, 4},
    {"i2", "int16", TERN_INT16, 2, 2},
    {"i1", "int8", TERN_INT8, 1, 1},
    {"u1", "uint8", TERN_UINT8, 1, 1},
    {"b1", "bool", TERN_BOOL, 1, 1},
    {"u2", "uint16", TERN_DTYPE_DEFAULT, 2, 2},
    {"u4", "uint32", TERN_DTYPE_DEFAULT, 4, 4},
    {"u8", "uint64", TERN_DTYPE_DEFAULT, 8, 8},
    {"c8", "complex64", TERN_COMPLEX64, 8, 4},
    {"c16", "complex128", TERN_COMPLEX128, 16, 8},
};
enum { N_DTYPES = sizeof dtypes / sizeof *dtypes };

/* ---- the literal ----------------------------------------------------------------------------- */

typedef struct parser {
    tern_ctx *ctx;
    const char *path;
    const char *at, *end;
    tern_npy_header *header;
    unsigned seen; /* which of the keys */
} parser;

enum { DESCR = 1, ORDER = 2, SHAPE = 4 };

static bool bad(const parser *p, const char *what) {
    tern_fail(p->ctx, TERN_ERR_FORMAT, "%s: damaged .npy file: %s", p->path, what);
    return false;
}

static void skip_spaces(parser *p) {
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\n')) p->at++;
}

/* Takes a character that must come next, spaces before it left out. */
static bool take(parser *p, char c) {
    skip_spaces(p);
    if (p->at == p->end || *p->at != c) return false;
    p->at++;
    return true;
}

static bool take_word(parser *p, const char *word) {
    size_t length = strlen(word);
    if ((size_t)(p->end - p->at) < length || memcmp(p->at, word, length) != 0) return false;
    p->at += length;
    return true;
}

/* 'text' or "text"; no key and no dtype needs an escape. */
static const char *take_text(parser *p, size_t *out_length) {
    skip_spaces(p);
    if (p->at == p->end || (*p->at != '\'' && *p->at != '"')) return NULL;
    const char *start = p->at + 1;
    const char *quote = memchr(start, *p->at, (size_t)(p->end - start));
    if (!quote || memchr(start, '\\', (size_t)(quote - start))) return NULL;
    p->at = quote + 1;
    *out_length = (size_t)(quote - start);
    return start;
}

static bool read_descr(parser *p) {
    size_t length = 0;
    const char *text = take_text(p, &length);
    if (!text) {
        tern_fail(p->ctx, TERN_ERR_UNSUPPORTED,
                  "%s: its elements are records (a structured dtype), which Tern does not support",
                  p->path);
        return false;
    }
    if (length >= 2 && (text[0] == '<' || text[0] == '>' || text[0] == '|' || text[0] == '=')) {
        for (size_t i = 0; i < N_DTYPES; i++) {
            if (strlen(dtypes[i].descr) != length - 1 ||
                memcmp(dtypes[i].descr, text + 1, length - 1) != 0)
                continue;
            p->header->dtype_name = dtypes[i].name;
            p->header->dtype = dtypes[i].dtype;
            p->header->element = dtypes[i].element;
            p->header->unit = dtypes[i].unit;
            p->header->swapped = text[0] == '>';
            return true;
        }
    }
    bool object = length == 2 && text[1] == 'O';
    char shown[TERN_SHOWN];
    tern_fail(p->ctx, TERN_ERR_UNSUPPORTED, "%s: its dtype '%s' %s", p->path,
              tern_shown(text, length, shown),
              object ? "means Python objects, which are refused: a reader of data runs no code"
                     : "is not supported");
    return false;
}

static bool read_order(parser *p) {
    skip_spaces(p);
    p->header->fortran = take_word(p, "True");
    return p->header->fortran || take_word(p, "False") ||
           bad(p, "fortran_order is neither True nor False");
}

static bool read_size(parser *p, int64_t *out) {
    uint64_t number = 0;
    const char *start = p->at;
    for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++)
        if (!tern_size_mul(number, 10, &number) ||
            !tern_size_add(number, (uint64_t)(*p->at - '0'), &number))
            return false;
    if (p->at == start || number > INT64_MAX) return false;
    if (p->at < p->end && *p->at == 'L') p->at++; /* Python 2 wrote long integers so */
    *out = (int64_t)number;
    return true;
}

/* (), (3,), (2, 3) */
static bool read_shape(parser *p) {
    tern_shape *shape = &p->header->shape;
    bool comma = true;
    shape->rank = 0;
    if (!take(p, '(')) return bad(p, "its shape is not a tuple");
    while (!take(p, ')')) {
        if (!comma) return bad(p, "its shape is not a tuple of sizes");
        if (shape->rank == TERN_MAX_RANK) {
            tern_fail(p->ctx, TERN_ERR_UNSUPPORTED,
                      "%s: an array of more than %d dimensions, which Tern does not support",
                      p->path, TERN_MAX_RANK);
            return false;
        }
        if (!read_size(p, &shape->dim[shape->rank++]))
            return bad(p, "its shape is not a tuple of sizes");
        comma = take(p, ',');
    }
    return shape->rank != 1 || comma || bad(p, "its shape is a number, not a tuple");
}

static bool read_item(parser *p) {
    static const struct {
        const char *name;
        unsigned bit;
        bool (*read)(parser *p);
    } keys[] = {{"descr", DESCR, read_descr},
                {"fortran_order", ORDER, read_order},
                {"shape", SHAPE, read_shape}};
    size_t length = 0;
    const char *key = take_text(p, &length);
    if (!key || !take(p, ':')) return bad(p, "its header is not a dict");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strlen(keys[i].name) != length || memcmp(keys[i].name, key, length) != 0) continue;
        if (p->seen & keys[i].bit) return bad(p, "its header has a duplicate key");
        p->seen |= keys[i].bit;
        return keys[i].read(p);
    }
    return bad(p, "its header has a key besides descr, fortran_order and shape");
}

static bool read_dict(parser *p) {
    bool comma = true;
    if (!take(p, '{')) return bad(p, "its header is not a dict");
    while (!take(p, '}')) {
        if (!comma) return bad(p, "its header is not a dict");
        if (!read_item(p)) return false;
        comma = take(p, ',');
    }
    if (p->seen != (DESCR | ORDER | SHAPE))
        return bad(p, "its header lacks descr, fortran_order or shape");
    skip_spaces(p);
    return p->at == p->end || bad(p, "there is text after its header");
}

/* ---- files ----------------------------------------------------------------------------------- */

bool tern_is_npy(const unsigned char *bytes, size_t size) {
    return size >= sizeof magic && memcmp(bytes, magic, sizeof magic) == 0;
}

/* The data must be what shape and dtype take: nothing is missing, nothing is behind it. */
static bool check_data(parser *p, size_t size) {
    tern_npy_header *h = p->header;
    uint64_t numel = 1, bytes;
    bool empty = false;
    for (int i = 0; i < h->shape.rank; i++) empty = empty || h->shape.dim[i] == 0;
    for (int i = 0; i < h->shape.rank; i++)
        if (h->shape.dim[i] && !tern_size_mul(numel, (uint64_t)h->shape.dim[i], &numel))
            return bad(p, "its shape overflows");
    if (numel > INT64_MAX / 16 || !tern_size_mul(numel, h->element, &bytes))
        return bad(p, "its shape overflows");
    h->numel = empty ? 0 : numel;
    if (empty) bytes = 0;
    if (size - h->data < bytes) return bad(p, "its data is truncated");
    return size - h->data == bytes || bad(p, "there are bytes after its data");
}

tern_status tern_npy_parse(tern_ctx *ctx, const char *path, const unsigned char *bytes, size_t size,
                           tern_npy_header *out_header) {
    parser p = {.ctx = ctx, .path = path, .header = out_header};
    memset(out_header, 0, sizeof *out_header);
    bool ok = tern_is_npy(bytes, size) || bad(&p, "it does not begin like one");
    bool wide = ok && size > 6 && bytes[6] > 1;
    size_t begin = wide ? 12 : 10;
    if (ok && size < begin) ok = bad(&p, "it is truncated");
    if (ok && (bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0))
        ok = bad(&p, "its version is not 1.0, 2.0 or 3.0");
    size_t length = ok ? (wide ? tern_read_u32(bytes + 8) : tern_read_u16(bytes + 8)) : 0;
    if (ok && length > MAX_HEADER) ok = bad(&p, "its header is longer than 10000 bytes");
    if (ok && length > size - begin) ok = bad(&p, "it is truncated");
    if (ok && (length == 0 || bytes[begin + length - 1] != '\n'))
        ok = bad(&p, "its header does not end in a newline");
    out_header->data = begin + length;
    p.at = (const char *)bytes + begin;
    p.end = p.at + length;
    ok = ok && read_dict(&p) && check_data(&p, size);
    return ok ? TERN_OK : tern_check(ctx);
}

void tern_npy_strides(const tern_npy_header *header, tern_shape *out_strides) {
    int64_t step = 1;
    int rank = header->shape.rank;
    out_strides->rank = rank;
    for (int i = 0; i < rank; i++) {
        int d = header->fortran ? i : rank - 1 - i;
        out_strides->dim[d] = step;
        if (header->numel) step *= header->shape.dim[d];
    }
}

size_t tern_npy_format(tern_dtype dtype, const tern_shape *shape, unsigned char *out_bytes) {
    const char *descr = NULL;
    uint32_t element = 0;
    for (size_t i = 0; i < N_DTYPES && !descr; i++)
        if (dtypes[i].dtype == dtype && dtype != TERN_DTYPE_DEFAULT) {
            descr = dtypes[i].descr;
            element = dtypes[i].element;
        }
    if (!descr) return 0;
    char *text = (char *)out_bytes + 10;
    int n =
        snprintf(text, TERN_NPY_HEADER - 10, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                 element == 1 ? '|' : '<', descr);
    int first = 0;
    for (int i = 0; i < shape->rank; i++) {
        int digits =
            snprintf(text + n, (size_t)(TERN_NPY_HEADER - 10 - n), "%" PRId64, shape->dim[i]);
        if (i == 0) first = digits;
        n += digits;
        if (i == 0 || i + 1 < shape->rank) text[n++] = ',';
        if (i + 1 < shape->rank) text[n++] = ' ';
    }
    memcpy(text + n, "), }", 4);
    n += 4;
    /* numpy leaves room to grow the first dimension to 21 digits, then pads to 64 with a newline
     * last; a header that ends there already gets 64 more. */
    int spare = shape->rank ? 21 - first : 0;
    size_t used = (size_t)(n + spare) + 11, total = used + 64 - used % 64;
    memset(text + n, ' ', total - 10 - (size_t)n);
    out_bytes[total - 1] = '\n';
    memcpy(out_bytes, magic, sizeof magic);
    out_bytes[6] = 1;
    out_bytes[7] = 0;
    tern_put_le(out_bytes + 8, total - 10, 2);
    return total;
}
