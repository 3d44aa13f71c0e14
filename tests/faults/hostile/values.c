/* values.c: what arguments are: numbers, texts, tensors in every state. */
#include "hostile.h"

#include <float.h>
#include <math.h>
#include <string.h>

uint64_t next(stream *s) {
    uint64_t z = s->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int64_t below(stream *s, int64_t limit) {
    return limit > 0 ? (int64_t)(next(s) % (uint64_t)limit) : 0;
}

bool once_in(stream *s, int n) {
    return below(s, n) == 0;
}

#define PICK(s, table) (table)[below(s, (int64_t)(sizeof(table) / sizeof *(table)))]

/* ---- numbers and texts ----------------------------------------------------------------------- */

/* clang-format off */

static int64_t small_int(stream *s) {
    static const int64_t ints[] = {0, 1, 2, 3, 4, 5, -1, -2, -3, 7, 1, 2, 0};
    return PICK(s, ints);
}

int64_t hostile_int(stream *s) {
    static const int64_t ints[] = {
        INT64_MAX,         INT64_MIN,     INT64_MAX - 1, INT64_MIN + 1, INT32_MAX,  INT32_MIN,
        INT64_C(1) << 31, INT64_C(1) << 32, INT64_C(1) << 40, INT64_C(1) << 62, -(INT64_C(1) << 62),
        INT64_C(1) << 61,  -(INT64_C(1) << 31) - 1, 65535, 65536, 32767, -32769, 255, 128, -128, 16, 17,
        64,                100,           1000,          -1000,         1 << 20,    3037000500};
    return once_in(s, 2) ? small_int(s) : PICK(s, ints);
}

static double hostile_float(stream *s) {
    static const double floats[] = {
        0, -0.0, 1, -1, 0.5, 2, 1e-8, 1e8, DBL_MAX, -DBL_MAX, DBL_MIN, 0x1p-1074, (double)FLT_MAX, 1e39,
        (double)NAN, -(double)NAN, (double)INFINITY, -(double)INFINITY, 0x1p63, -0x1p63, 0x1p64, 0x1p31,
        0x1p53, 1.0 + 0x1p-52, 0.1, 1e-320, 65536};
    return PICK(s, floats);
}

static const char *hostile_text(stream *s) {
    static const char *const texts[] = {
        "mean", "sum", "none", "zeros", "border", "reflection", "nearest", "nearest-exact", "bilinear",
        "bicubic", "linear", "trilinear", "area", "constant", "reflect", "replicate", "circular", "same",
        "valid", "fro", "nuc", "inf", "-inf", "reduced", "complete", "r", "left", "right", "tanh", "floor",
        "trunc", "ij", "xy", "prod", "amax", "amin", "add", "multiply", "max", "min", "higher", "lower",
        "midpoint", "gelsd", "gelsy", "gels", "gelss", "gesvd", "gesvdj", "contiguous_format",
        "channels_last", "preserve_format", "cpu", "cpu_ref", "cuda:0", "meta", "", "?", "\n", "\x1b[2J",
        "\xff\xfe", "ij,jk->ik", "i,i->", "ii->i", "...ij,...jk->...ik", "ij->ji", "ijklmnop->p", "->",
        "i->", ",->", "i,j->ijk", "...->...", "a*b", "a + b", "sigmoid(a) * b", "a /", "((((((((", "where(a > 0, a, b)",
        "max(a, b) ** 3", "float32", "torch.float64", "use_mm_for_euclid_dist", "pow", "exp", "mode",
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"};
    return PICK(s, texts);
}

/* clang-format on */

tern_dtype any_dtype(stream *s) {
    int64_t dtype = below(s, TERN_DTYPE_COUNT + 2);
    return dtype < TERN_DTYPE_COUNT ? (tern_dtype)dtype
                                    : (tern_dtype)(TERN_COMPLEX64 + dtype - TERN_DTYPE_COUNT);
}

/* ---- tensors --------------------------------------------------------------------------------- */

enum { BASE_BYTES = 1 << 15 };

/* `wild`: how rarely an element is hostile, 0 for never. */
static void fill(stream *s, void *out, tern_dtype dtype, size_t count, int64_t limit, int wild) {
    size_t size = tern_dtype_size(dtype);
    if (tern_dtype_is_complex(dtype)) {
        fill(s, out, size == 16 ? TERN_FLOAT64 : TERN_FLOAT32, 2 * count, limit, wild);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t *at = (uint8_t *)out + i * size;
        int64_t number = limit ? below(s, limit) : below(s, 7) - 3;
        double real = (double)below(s, 4001) / 1000 - 2;
        if (wild && once_in(s, wild)) number = hostile_int(s), real = hostile_float(s);
        float narrow = (float)real;
        /* From a quarter to 4, of either sign, in 16 bits of both kinds; hostile: any bits. */
        uint16_t bits = (uint16_t)next(s), first = dtype == TERN_FLOAT16 ? 0x3400 : 0x3e80;
        if (!wild) bits = (uint16_t)((bits & 0x8000) | (first + (bits & 0x1ff)));
        switch (dtype) {
        case TERN_FLOAT64: memcpy(at, &real, 8); break;
        case TERN_FLOAT32: memcpy(at, &narrow, 4); break;
        case TERN_FLOAT16:
        case TERN_BFLOAT16: memcpy(at, &bits, 2); break;
        case TERN_BOOL: *at = (uint8_t)(number & 1); break;
        default: memcpy(at, &number, size); /* the low bytes of a little-endian number */
        }
    }
}

/* The number of elements, at most `most` + 1. */
static int64_t count_of(const tern_shape *shape, int64_t most) {
    int64_t count = 1;
    for (int32_t d = 0; d < shape->rank; d++)
        if (shape->dim[d] <= 0) return shape->dim[d] < 0 ? most + 1 : 0;
    for (int32_t d = 0; d < shape->rank; d++) {
        if (shape->dim[d] > most / count) return most + 1;
        count *= shape->dim[d];
    }
    return count;
}

static tern_tensor *leaf(call *c, tern_tensor *tensor) {
    tern_dtype dtype = tern_dtype_of(tensor);
    if ((!tern_dtype_is_floating(dtype) && !tern_dtype_is_complex(dtype)) ||
        c->n_leaves == MOST_LEAVES || tern_is_nil(tensor))
        return tensor;
    c->leaves[c->n_leaves++] = tern_requires_grad(tensor, true);
    return tensor;
}

/* A view of one storage whose elements lie in any order, on each other, and not all of them. */
static tern_tensor *strided(call *c, tern_tensor *base, tern_shape shape) {
    tern_shape stride = {.rank = shape.rank};
    int64_t held = tern_numel(base), last = 0;
    for (int32_t d = 0; d < shape.rank; d++) {
        int64_t room = shape.dim[d] > 1 ? (held - 1 - last) / (shape.dim[d] - 1) : 3;
        stride.dim[d] = below(&c->s, (room < 40 ? room : 40) + 1);
        if (shape.dim[d] > 1) last += stride.dim[d] * (shape.dim[d] - 1);
    }
    return tern_view_of_storage(base, shape, stride, below(&c->s, held - last));
}

tern_tensor *drawn_tensor(call *c, tern_shape shape, tern_dtype dtype, int64_t limit) {
    static uint64_t bytes[BASE_BYTES / 8];
    stream *s = &c->s;
    int64_t most = BASE_BYTES / (int64_t)tern_dtype_size(dtype), count = count_of(&shape, most);
    int wild = once_in(s, 4) ? 1 + (int)below(s, 10) : 0;
    const char *device = c->second && once_in(s, 30) ? c->second : NULL;
    bool views = once_in(s, 3);
    if (count > most) return tern_nil(c->ctx);
    if (views) count = count + 40 < most ? count + 40 : most;
    fill(s, bytes, dtype, (size_t)count, limit, wild);
    tern_shape flat = {1, {count}};
    tern_tensor *made = tern_from_data_on(c->ctx, bytes, views ? flat : shape, dtype, device);
    if (views && once_in(s, 4)) made = leaf(c, made);
    if (views) made = strided(c, made, shape);
    return once_in(s, 3) ? leaf(c, made) : made;
}

static tern_shape hostile_shape(stream *s) {
    static const int32_t ranks[] = {0, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 6, 8, TERN_MAX_RANK};
    tern_shape shape = {.rank = PICK(s, ranks)};
    int64_t room = 2000;
    for (int32_t d = 0; d < shape.rank; d++) {
        int64_t size = once_in(s, 12) ? 0 : 1 + below(s, once_in(s, 4) ? 70 : 5);
        while (size > room) size /= 2;
        if (size > 1) room /= size;
        shape.dim[d] = size;
    }
    return shape;
}

/* No element, and sizes whose product no integer holds. */
static tern_tensor *empty_plane(call *c) {
    tern_shape shape = hostile_shape(&c->s);
    if (!shape.rank) shape.rank = 1;
    for (int32_t d = 0; d < shape.rank; d++)
        if (once_in(&c->s, 3)) shape.dim[d] = hostile_int(&c->s) & INT64_MAX;
    shape.dim[below(&c->s, shape.rank)] = 0;
    return tern_empty(c->ctx, shape, any_dtype(&c->s));
}

/* One element, as often as the sizes say: more than memory holds, and more than an hour is enough for. */
static tern_tensor *expanded(call *c) {
    static const int64_t sizes[] = {1 << 20,
                                    INT64_C(1) << 31,
                                    INT64_C(1) << 32,
                                    INT64_C(1) << 40,
                                    INT64_C(1) << 61,
                                    INT64_C(1) << 62,
                                    INT64_MAX,
                                    3,
                                    1};
    tern_shape shape = hostile_shape(&c->s), stride = {.rank = shape.rank};
    for (int32_t d = 0; d < shape.rank; d++)
        if (once_in(&c->s, 2)) shape.dim[d] = PICK(&c->s, sizes);
    c->endless = true;
    return tern_view_of_storage(tern_ones(c->ctx, TERN_SHAPE(4), any_dtype(&c->s)), shape, stride,
                                0);
}

static tern_tensor *gone(call *c) {
    tern_scope scope = tern_scope_begin(c->ctx, 0);
    tern_tensor *tensor = tern_ones(c->ctx, TERN_SHAPE(2, 2), TERN_FLOAT32);
    tern_scope_end(scope);
    return tensor;
}

/* A result with a history, or a view of one. */
static tern_tensor *with_history(call *c) {
    tern_tensor *tensor = drawn_tensor(c, hostile_shape(&c->s), TERN_FLOAT32, 0);
    tensor = tern_mul_scalar(leaf(c, tensor), 2);
    return tern_rank(tensor) && once_in(&c->s, 2) ? tern_flip(tensor, TERN_SHAPE(0)) : tensor;
}

tern_tensor *hostile_tensor(call *c) {
    tern_tensor *tensor;
    if (once_in(&c->s, 150)) return expanded(c);
    switch (below(&c->s, 24)) {
    case 0: return tern_nil(c->ctx);
    case 1: return gone(c);
    case 2: return tern_ones(c->other, TERN_SHAPE(2, 2), TERN_FLOAT32);
    case 3: return tern_nil(c->other);
    case 4:
        tensor = tern_ones(c->ctx, TERN_SHAPE(2), TERN_FLOAT32);
        tern_drop(tensor);
        return tensor;
    case 5:
    case 6: return empty_plane(c);
    case 7:
    case 8: return with_history(c);
    case 9: return tern_full(c->ctx, hostile_shape(&c->s), hostile_float(&c->s), any_dtype(&c->s));
    default:
        return drawn_tensor(c, hostile_shape(&c->s), any_dtype(&c->s), once_in(&c->s, 3) ? 4 : 0);
    }
}

/* ---- lists and the rest ---------------------------------------------------------------------- */

static tern_value hostile_ints(call *c) {
    int count = once_in(&c->s, 12) ? 17 + (int)below(&c->s, 20) : (int)below(&c->s, 6);
    bool wild = once_in(&c->s, 2);
    tern_value list = once_in(&c->s, 2) ? tern_list_new(c->ctx) : tern_tuple_new(c->ctx);
    for (int i = 0; i < count; i++)
        tern_list_append(list, tern_int(wild ? hostile_int(&c->s) : small_int(&c->s)));
    return list;
}

static tern_value hostile_floats(call *c) {
    int count = (int)below(&c->s, 6);
    tern_value list = tern_list_new(c->ctx);
    for (int i = 0; i < count; i++) tern_list_append(list, tern_float(hostile_float(&c->s)));
    return list;
}

static tern_value hostile_tensors(call *c) {
    int count = once_in(&c->s, 40) ? 300 : (int)below(&c->s, 5);
    tern_tensor *same = once_in(&c->s, 2) ? hostile_tensor(c) : NULL;
    tern_value list = once_in(&c->s, 2) ? tern_list_new(c->ctx) : tern_tuple_new(c->ctx);
    for (int i = 0; i < count; i++) {
        bool again = same && (count > 5 || once_in(&c->s, 2));
        tern_list_append(list, tern_tensor_value(again ? same : hostile_tensor(c)));
    }
    return list;
}

static tern_generator *hostile_generator(call *c) {
    tern_scope scope = tern_scope_begin(c->ctx, 0);
    tern_generator *generator = tern_generator_new(c->ctx);
    tern_scope_end(scope);
    if (once_in(&c->s, 2)) return generator;
    return once_in(&c->s, 2) ? tern_default_generator(c->other) : tern_generator_new(c->ctx);
}

static tern_value anything(call *c, int depth) {
    uint32_t kind = 1u << below(&c->s, 11);
    if (depth < 3 && once_in(&c->s, 3)) {
        tern_value list = tern_list_new(c->ctx);
        for (int64_t n = below(&c->s, 4); n > 0; n--)
            tern_list_append(list, anything(c, depth + 1));
        return list;
    }
    if (once_in(&c->s, 12)) return tern_dict_new(c->ctx, false);
    return hostile_value(c, kind);
}

/* A kind that the argument takes; rarely another, which must be refused. */
static uint32_t kind_of(stream *s, uint32_t types) {
    uint32_t kinds[12];
    int count = 0;
    for (uint32_t bit = 1; bit <= TERN_TAKES_ANY; bit <<= 1)
        if (types & bit) kinds[count++] = bit;
    if (!count || once_in(s, 60)) return 1u << below(s, 12);
    return kinds[below(s, count)];
}

tern_value hostile_value(call *c, uint32_t types) {
    switch (kind_of(&c->s, types)) {
    case TERN_TAKES_TENSOR: return tern_tensor_value(hostile_tensor(c));
    case TERN_TAKES_TENSORS: return hostile_tensors(c);
    case TERN_TAKES_BOOL: return tern_bool(once_in(&c->s, 2));
    case TERN_TAKES_INT: return tern_int(hostile_int(&c->s));
    case TERN_TAKES_FLOAT: return tern_float(hostile_float(&c->s));
    case TERN_TAKES_INTS: return hostile_ints(c);
    case TERN_TAKES_FLOATS: return hostile_floats(c);
    case TERN_TAKES_STRING: return tern_text(hostile_text(&c->s));
    case TERN_TAKES_DTYPE:
        return tern_dtype_value(once_in(&c->s, 9) ? (tern_dtype)hostile_int(&c->s)
                                                  : any_dtype(&c->s));
    case TERN_TAKES_GENERATOR: return tern_generator_value(hostile_generator(c));
    case TERN_TAKES_ANY: return anything(c, 0);
    default: return tern_none();
    }
}
