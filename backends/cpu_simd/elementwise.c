/*
 * Row functions over strided operands.
 *
 * Dimensions are put into the order of the output's strides and merged where that is possible. Then the
 * positions are taken in that order, and each operand is, for a piece of them, one of
 *
 *   - elements one behind the other: the row function reads or writes them where they are;
 *   - one number (stride 0): it fills a buffer once, which serves until the number changes;
 *   - anything else, and 16-bit floats: gathered into a buffer that stays in the first-level cache, or
 *     scattered from it.
 */
#include "elementwise.h"

#include "../cpu_ref/walk.h"
#include "simd_zip.h"
#include "wide_rows.h"

/* Bytes of an operand's buffer, and the most that a piece may have of an operand. */
#define BUFFER 4096

/* From this many bytes on an output is written past the caches: they would not hold it until it is read, and a
 * line need not be fetched before it is overwritten. */
#define STREAMED (INT64_C(16) << 20)

/* From this length on a row of the innermost dimension is a piece of its own. */
#define LONG_ROW 64

/* An operand, its dimensions in the order of the walk. */
typedef struct strided {
    char *data;
    int64_t size;                          /* bytes of an element */
    int64_t stride[TERN_BACKEND_MAX_RANK]; /* elements */
    int64_t inner;                         /* the innermost stride */
    int32_t dtype;
    bool half;   /* its rows are float32 */
    bool flat;   /* its elements lie one behind the other, over all dimensions */
    bool steady; /* every row of the innermost dimension is the same */
} strided;

typedef struct job {
    tern_simd_row row;
    const void *attrs;
    int32_t operands, rank;
    int64_t shape[TERN_BACKEND_MAX_RANK];
    strided of[ELEMENTWISE_OPERANDS];
    int64_t count;   /* positions */
    int64_t piece;   /* the most positions of a piece */
    bool short_rows; /* a piece goes over several rows */
    bool stream;     /* the output goes past the caches */
} job;

/* An operand's elements of one piece. */
typedef struct buffer {
    _Alignas(64) char row[BUFFER];
    _Alignas(64) char raw[BUFFER / 2]; /* of 16-bit floats, before the conversion */
    const char *from;                  /* the first element of what is in `row`, and how many */
    int64_t filled;
} buffer;

/* ---- dimensions ------------------------------------------------------------------------------ */

/* Where all is contiguous or one number, which is nearly always, there is one dimension. */
static bool is_one_dimension(const tern_elementwise *work, job *j) {
    for (int32_t k = 0; k < j->operands; k++) {
        const tern_kit_tensor *tensor = work->tensor[k];
        int64_t any = 0;
        for (int32_t d = 0; d < tensor->rank; d++) any |= tensor->strides[d];
        if (any != 0 && !tern_kit_is_contiguous(tensor)) return false;
        j->of[k].stride[0] = any != 0 || j->count == 1;
    }
    j->rank = 1;
    j->shape[0] = j->count;
    return true;
}

/* In the order of the output's strides, without those of one element. */
static void order_dimensions(const tern_elementwise *work, job *j) {
    const tern_kit_tensor *out = work->tensor[0];
    j->rank = 0;
    for (int32_t d = 0; d < out->rank; d++) {
        if (out->shape[d] == 1) continue;
        int32_t at = j->rank++;
        for (; at > 0 && j->of[0].stride[at - 1] < out->strides[d]; at--) {
            j->shape[at] = j->shape[at - 1];
            for (int32_t k = 0; k < j->operands; k++) j->of[k].stride[at] = j->of[k].stride[at - 1];
        }
        j->shape[at] = out->shape[d];
        for (int32_t k = 0; k < j->operands; k++) j->of[k].stride[at] = work->tensor[k]->strides[d];
    }
}

static bool merges(const job *j, int32_t outer, int32_t inner) {
    for (int32_t k = 0; k < j->operands; k++)
        if (j->of[k].stride[outer] != j->shape[inner] * j->of[k].stride[inner]) return false;
    return true;
}

static void merge_dimensions(job *j) {
    int32_t last = 0;
    for (int32_t d = 1; d < j->rank; d++) {
        bool merged = merges(j, last, d);
        if (!merged) last++;
        j->shape[last] = merged ? j->shape[last] * j->shape[d] : j->shape[d];
        for (int32_t k = 0; k < j->operands; k++) j->of[k].stride[last] = j->of[k].stride[d];
    }
    j->rank = last + 1; /* there are several positions, so there is a dimension */
}

/* ---- elements to buffers and back ------------------------------------------------------------ */

/* n elements of one size, `stride` elements apart, to where they are one behind the other. */
#define GATHER(type)                                                                               \
    do {                                                                                           \
        const type *x = from;                                                                      \
        type *y = to, number = *x;                                                                 \
        if (stride == 0)                                                                           \
            for (int64_t i = 0; i < n; i++) y[i] = number;                                         \
        else                                                                                       \
            for (int64_t i = 0; i < n; i++) y[i] = x[i * stride];                                  \
    } while (0)

static void gather(int64_t size, const void *from, int64_t stride, int64_t n, void *to) {
    if (stride == 1) {
        memcpy(to, from, (size_t)(n * size));
        return;
    }
    switch (size) {
    case 1: GATHER(uint8_t); break;
    case 2: GATHER(uint16_t); break;
    case 4: GATHER(uint32_t); break;
    default: GATHER(uint64_t); break;
    }
}

#define SCATTER(type)                                                                              \
    do {                                                                                           \
        const type *x = from;                                                                      \
        type *y = to;                                                                              \
        for (int64_t i = 0; i < n; i++) y[i * stride] = x[i];                                      \
    } while (0)

/* The reverse. */
static void scatter(int64_t size, const void *from, int64_t n, void *to, int64_t stride) {
    if (stride == 1) {
        memcpy(to, from, (size_t)(n * size));
        return;
    }
    switch (size) {
    case 1: SCATTER(uint8_t); break;
    case 2: SCATTER(uint16_t); break;
    case 4: SCATTER(uint32_t); break;
    default: SCATTER(uint64_t); break;
    }
}

/* ---- pieces ---------------------------------------------------------------------------------- */

/* A position, and each operand's offset there. */
typedef struct cursor {
    int64_t index[TERN_BACKEND_MAX_RANK];
    int64_t offset[ELEMENTWISE_OPERANDS];
} cursor;

static void cursor_begin(const job *j, int64_t position, cursor *at) {
    for (int32_t k = 0; k < j->operands; k++) at->offset[k] = 0;
    for (int32_t d = j->rank - 1; d >= 0; d--) {
        at->index[d] = d > 0 ? position % j->shape[d] : position;
        if (d > 0) position /= j->shape[d];
        for (int32_t k = 0; k < j->operands; k++)
            at->offset[k] += at->index[d] * j->of[k].stride[d];
    }
}

/* n positions on, which do not pass the end of the innermost row. */
static void cursor_advance(const job *j, int64_t n, cursor *at) {
    int32_t d = j->rank - 1;
    at->index[d] += n;
    for (int32_t k = 0; k < j->operands; k++) at->offset[k] += n * j->of[k].inner;
    for (; d > 0 && at->index[d] == j->shape[d]; d--) {
        at->index[d] = 0;
        at->index[d - 1]++;
        for (int32_t k = 0; k < j->operands; k++)
            at->offset[k] += j->of[k].stride[d - 1] - j->shape[d] * j->of[k].stride[d];
    }
}

/* Positions from the cursor to the end of its row, at most n. */
static int64_t row_left(const job *j, const cursor *at, int64_t n) {
    int64_t left = j->shape[j->rank - 1] - at->index[j->rank - 1];
    return left < n ? left : n;
}

/* n elements of an operand to its buffer, row by row, or back. */
static void move(const job *j, int32_t k, cursor at, int64_t n, char *elements) {
    const strided *x = &j->of[k];
    for (int64_t done = 0; done < n;) {
        int64_t left = row_left(j, &at, n - done);
        char *here = x->data + at.offset[k] * x->size;
        if (k == 0)
            scatter(x->size, elements + done * x->size, left, here, x->inner);
        else
            gather(x->size, here, x->inner, left, elements + done * x->size);
        done += left;
        if (done < n) cursor_advance(j, left, &at);
    }
}

/* n elements of input k, as the row function takes them. */
static const void *source(const job *j, int32_t k, const cursor *at, int64_t n, buffer *b) {
    const strided *x = &j->of[k];
    const char *from = x->data + at->offset[k] * x->size;
    bool direct = x->flat || (x->inner == 1 && !j->short_rows);
    if (direct && !x->half) return from;
    if (direct) {
        tern_simd_load_f32(x->dtype, from, 1, n, (float *)b->row);
        return b->row;
    }
    bool lasts = x->steady || (x->inner == 0 && !j->short_rows);
    if (lasts && b->from == from && b->filled >= n) return b->row;
    b->from = from;
    b->filled = n;
    move(j, k, *at, n, x->half ? b->raw : b->row);
    if (x->half) tern_simd_load_f32(x->dtype, b->raw, 1, n, (float *)b->row);
    return b->row;
}

/* Whole vectors to an aligned address. */
static void stream(char *to, const char *from, int64_t bytes) {
    int64_t at = 0;
    for (; at + SIMD_BYTES <= bytes; at += SIMD_BYTES) simd_stream(to + at, i32_load(from + at));
    memcpy(to + at, from + at, (size_t)(bytes - at));
}

/* n results from the output's buffer to where they belong. */
static void put(const job *j, const cursor *at, int64_t n, buffer *b, bool direct) {
    const strided *x = &j->of[0];
    if (j->stream)
        stream(x->data + at->offset[0] * x->size, b->row, n * x->size);
    else if (!x->half)
        move(j, 0, *at, n, b->row);
    else if (direct)
        tern_simd_store_f32(x->dtype, x->data + at->offset[0] * x->size, 1, n,
                            (const float *)b->row);
    else {
        tern_simd_store_f32(x->dtype, b->raw, 1, n, (const float *)b->row);
        move(j, 0, *at, n, b->raw);
    }
}

static void run(void *arg, int64_t begin, int64_t end) {
    const job *j = arg;
    buffer b[ELEMENTWISE_OPERANDS];
    for (int32_t k = 0; k < j->operands; k++) b[k].from = NULL;
    const strided *out = &j->of[0];
    bool direct = out->flat || (out->inner == 1 && !j->short_rows);
    bool in_place = direct && !out->half && !j->stream;
    cursor at;
    cursor_begin(j, begin, &at);
    for (int64_t position = begin; position < end;) {
        int64_t n = end - position < j->piece ? end - position : j->piece;
        if (!j->short_rows) n = row_left(j, &at, n);
        const void *from[ELEMENTWISE_OPERANDS] = {NULL};
        for (int32_t k = 1; k < j->operands; k++) from[k] = source(j, k, &at, n, &b[k]);
        void *to = in_place ? out->data + at.offset[0] * out->size : b[0].row;
        j->row(j->attrs, n, to, from[1], from[2], from[3]);
        if (!in_place) put(j, &at, n, &b[0], direct);
        position += n;
        for (int64_t left; n > 0; n -= left) {
            left = row_left(j, &at, n);
            cursor_advance(j, left, &at);
        }
    }
    if (j->stream) simd_settle();
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Whether the output is large, in one piece, and no input's memory. */
static bool streams(const job *j) {
    const strided *out = &j->of[0];
    if (!out->flat || out->half || j->count * out->size < STREAMED) return false;
    for (int32_t k = 1; k < j->operands; k++)
        if (j->of[k].data == out->data) return false;
    return (uintptr_t)out->data % SIMD_BYTES == 0;
}

/* What is to be known of the operands once the dimensions are. */
static void describe(const tern_elementwise *work, job *j) {
    int64_t widest = 1, width = j->shape[j->rank - 1];
    bool buffers = false;
    j->short_rows = j->rank > 1 && width < LONG_ROW;
    for (int32_t k = 0; k < j->operands; k++) {
        strided *x = &j->of[k];
        x->data = work->tensor[k]->data;
        x->dtype = work->tensor[k]->dtype;
        x->size = tern_kit_size(x->dtype);
        x->half = work->row_dtype[k] != x->dtype;
        x->inner = x->stride[j->rank - 1];
        x->steady = true;
        int64_t step = 1;
        x->flat = true;
        for (int32_t d = j->rank - 1; d >= 0; d--) {
            if (d < j->rank - 1 && x->stride[d] != 0) x->steady = false;
            if (x->stride[d] != step) x->flat = false;
            step *= j->shape[d];
        }
        int64_t size = tern_kit_size(work->row_dtype[k]);
        if (size > widest) widest = size;
        buffers = buffers || x->half || !(x->flat || (x->inner == 1 && !j->short_rows));
    }
    j->stream = streams(j);
    buffers = buffers || j->stream;
    j->piece = buffers ? BUFFER / widest : j->count;
    if (j->short_rows) j->piece -= j->piece % width;
}

/* Operands that the row function takes as they are, all of them contiguous. */
typedef struct plain {
    tern_simd_row row;
    const void *attrs;
    char *data[ELEMENTWISE_OPERANDS];
    int64_t size[ELEMENTWISE_OPERANDS];
} plain;

static void run_plain(void *arg, int64_t begin, int64_t end) {
    const plain *p = arg;
    const char *from[ELEMENTWISE_OPERANDS];
    for (int k = 1; k < ELEMENTWISE_OPERANDS; k++) from[k] = p->data[k] + begin * p->size[k];
    p->row(p->attrs, end - begin, p->data[0] + begin * p->size[0], from[1], from[2], from[3]);
}

/* The short way of nearly all launches; false where it is not theirs. */
static bool run_all_plain(const tern_host *host, const tern_elementwise *work, int64_t count) {
    plain p = {work->row, work->attrs, {NULL}, {0}};
    for (int32_t k = 0; k < work->operands; k++) {
        const tern_kit_tensor *tensor = work->tensor[k];
        if (work->row_dtype[k] != tensor->dtype || !tern_kit_is_contiguous(tensor)) return false;
        p.data[k] = tensor->data;
        p.size[k] = tern_kit_size(tensor->dtype);
    }
    if (count * p.size[0] >= STREAMED) return false;
    if (count <= work->grain)
        run_plain(&p, 0, count);
    else
        host->parallel_for(count, work->grain, run_plain, &p);
    return true;
}

void tern_simd_elementwise(const tern_host *host, const tern_elementwise *work) {
    int64_t count = tern_kit_count(work->tensor[0]);
    if (run_all_plain(host, work, count)) return;
    job j;
    j.row = work->row;
    j.attrs = work->attrs;
    j.operands = work->operands;
    j.count = count;
    if (!is_one_dimension(work, &j)) {
        order_dimensions(work, &j);
        merge_dimensions(&j);
    }
    describe(work, &j);
    int64_t width = j.shape[j.rank - 1];
    int64_t grain = j.short_rows ? work->grain - work->grain % width : work->grain;
    if (count <= grain)
        run(&j, 0, count);
    else
        host->parallel_for(count, grain, run, &j);
}
