/* Bytes on their way: uploads, downloads, copies, imports, other devices, and what is left behind. */
#include "property.h"

#include "tern/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const int64_t counts[] = {0, 1, 2, 3, 5, 7, 8, 15, 63, 64, 65, 255, 1021, 100003, 1048579};

/* Bytes that differ from place to place; 0 and 1 for bool. */
static uint8_t *pattern(property *p, tern_ctx *ctx, tern_dtype dtype, int64_t count,
                        size_t *out_bytes) {
    stream s = stream_of(tern_dtype_name(dtype), p->with.seed, (uint64_t)count);
    *out_bytes = (size_t)count * tern_dtype_size(dtype);
    uint8_t *data = tern_scope_alloc(ctx, *out_bytes + 1);
    for (size_t i = 0; data && i < *out_bytes; i++)
        data[i] = (uint8_t)(stream_next(&s) >> 32 & (dtype == TERN_BOOL ? 1 : 0xff));
    return data;
}

static void expect_bytes(property *p, const char *label, const tern_tensor *got,
                         const uint8_t *right, size_t bytes) {
    uint8_t *data = tern_scope_alloc(p->device, bytes + 1);
    if (!data) return;
    memset(data, 0x5a, bytes + 1);
    if (tern_to_host(got, data, bytes) != TERN_OK) return;
    for (size_t i = 0; i < bytes && !p->t->failed; i++)
        if (data[i] != right[i])
            case_fail(p->t, "%s: byte %zu of %zu is %d, expected %d", label, i, bytes, data[i],
                      right[i]);
    if (data[bytes] != 0x5a) case_fail(p->t, "%s: a byte behind the last is written", label);
}

/* ---- there and back -------------------------------------------------------------------------- */

static void round_trip(property *p, bool async) {
    for (size_t i = 0; i < sizeof counts / sizeof counts[0] && !p->t->failed; i++) {
        size_t bytes;
        char label[64];
        uint8_t *data = pattern(p, p->device, p->with.dtype, counts[i], &bytes);
        uint8_t *right = pattern(p, p->reference, p->with.dtype, counts[i], &bytes);
        if (!data || !right) return;
        tern_shape shape = {1, {counts[i]}};
        tern_tensor *x = async ? tern_from_data_async(p->device, data, shape, p->with.dtype, NULL)
                               : tern_from_data(p->device, data, shape, p->with.dtype);
        memset(data, 0xee, bytes); /* it is the program's again */
        snprintf(label, sizeof label, "%d elements", (int)counts[i]);
        expect_bytes(p, label, x, right, bytes);
        tern_tensor *copy = tern_clone(x);
        tern_drop(x);
        expect_bytes(p, label, copy, right, bytes);
    }
}

static void upload(property *p) {
    round_trip(p, false);
}
static void upload_async(property *p) {
    round_trip(p, true);
}

/* Overwrites a tensor from the host: row-major bytes, whatever its strides. */
static void write_host(property *p) {
    size_t bytes;
    uint8_t *data = pattern(p, p->device, p->with.dtype, 35, &bytes);
    tern_tensor *base = tern_zeros(p->device, TERN_SHAPE(11, 9), p->with.dtype);
    tern_tensor *view = tern_transpose(tern_narrow(tern_slice(base, 0, 1, 11, 2), 1, 1, 7), 0, 1);
    if (!data || tern_write_host(view, data, bytes) != TERN_OK) return;
    expect_bytes(p, "a strided view", view, data, bytes);
    /* Parts that lie without gaps, behind the start of their storage. */
    size_t size = tern_dtype_size(p->with.dtype);
    tern_tensor *row = tern_zeros(p->device, TERN_SHAPE(50), p->with.dtype);
    tern_write_host(tern_narrow(row, 0, 9, 35), data, bytes);
    expect_bytes(p, "a part", tern_narrow(row, 0, 9, 35), data, bytes);
    tern_write_host(tern_narrow(row, 0, 0, 5), data + size, 5 * size);
    expect_bytes(p, "another part", tern_narrow(row, 0, 0, 5), data + size, 5 * size);
    expect_bytes(p, "the first part after it", tern_narrow(row, 0, 9, 35), data, bytes);
    tern_tensor *flat = tern_zeros(p->device, TERN_SHAPE(35), p->with.dtype);
    tern_write_host(flat, data, bytes);
    expect_bytes(p, "a row", flat, data, bytes);
}

/* Parts of one storage copied to parts of another. */
static void parts(property *p) {
    size_t bytes, size = tern_dtype_size(p->with.dtype);
    uint8_t *data = pattern(p, p->device, p->with.dtype, 40, &bytes);
    uint8_t *other = pattern(p, p->device, p->with.dtype, 41, &bytes);
    if (!data || !other) return;
    tern_tensor *from = tern_from_data(p->device, data, TERN_SHAPE(40), p->with.dtype);
    tern_tensor *to = tern_from_data(p->device, other, TERN_SHAPE(41), p->with.dtype);
    static const int places[][3] = {{0, 0, 5}, {3, 7, 11}, {39, 40, 1}, {8, 16, 16}, {33, 1, 7}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const int *place = places[i];
        tern_copy_in_place(tern_narrow(to, 0, place[1], place[2]),
                           tern_narrow(from, 0, place[0], place[2]));
        memcpy(other + (size_t)place[1] * size, data + (size_t)place[0] * size,
               (size_t)place[2] * size);
        expect_bytes(p, "the target", to, other, 41 * size);
        expect_bytes(p, "a clone of a part", tern_clone(tern_narrow(from, 0, place[0], place[2])),
                     data + (size_t)place[0] * size, (size_t)place[2] * size);
    }
    expect_bytes(p, "the source", from, data, 40 * size);
}

/* The whole storage of a view, its gaps included. */
static void storage(property *p) {
    size_t bytes;
    uint8_t *data = pattern(p, p->device, p->with.dtype, 30, &bytes);
    tern_tensor *base = tern_from_data(p->device, data, TERN_SHAPE(5, 6), p->with.dtype);
    tern_tensor *view = tern_slice(tern_narrow(base, 0, 1, 3), 1, 1, 6, 2);
    uint8_t *got = tern_scope_alloc(p->device, bytes);
    if (!data || !got) return;
    if (tern_storage_bytes(view) != bytes)
        case_fail(p->t, "the storage has %zu bytes, expected %zu", tern_storage_bytes(view), bytes);
    else if (tern_storage_to_host(view, got, bytes) == TERN_OK && memcmp(got, data, bytes) != 0)
        case_fail(p->t, "the storage holds other bytes");
}

/* ---- imports --------------------------------------------------------------------------------- */

static void count_release(void *user) {
    ++*(int *)user;
}

/* Memory of the program's, read and released once. */
static void import(property *p) {
    static const int64_t sizes[] = {1, 3, 16, 64, 1000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && !p->t->failed; i++) {
        size_t bytes;
        int released = 0;
        uint8_t *right = pattern(p, p->device, p->with.dtype, sizes[i], &bytes);
        uint8_t *memory = tern_alloc(bytes);
        if (!right || !memory) return;
        memcpy(memory, right, bytes);
        tern_scope scope = tern_scope_begin(p->device, 0);
        tern_tensor *x = tern_from_memory(p->device, memory, (tern_shape){1, {sizes[i]}},
                                          p->with.dtype, count_release, &released);
        expect_bytes(p, "the tensor", x, right, bytes);
        expect_bytes(p, "its clone", tern_clone(x), right, bytes);
        expect_bytes(p, "its end", tern_narrow(x, 0, sizes[i] - 1, 1),
                     right + bytes - tern_dtype_size(p->with.dtype),
                     tern_dtype_size(p->with.dtype));
        tern_scope_end(scope);
        tern_synchronize(p->device);
        tern_empty_cache(p->device);
        if (released > 1) case_fail(p->t, "the memory is released %d times", released);
        if (released == 1) tern_free(memory);
    }
}

/* ---- other devices --------------------------------------------------------------------------- */

/* The plugin's other device: "delaying:1" beside "delaying:0". */
static bool open_other(property *p, char *out_name, size_t size) {
    const char *name = tern_device_name(p->device), *colon = strchr(name, ':');
    int length = colon ? (int)(colon - name) : (int)strlen(name);
    snprintf(out_name, size, "%.*s:%d", length, name, colon && strcmp(colon, ":1") == 0 ? 0 : 1);
    bool is_open = tern_device_open(p->device, out_name) == TERN_OK;
    tern_error_clear(p->device);
    if (!is_open) p->t->skip = "the plugin has no other device";
    return is_open;
}

static void visit(property *p, const char *device) {
    const char *home = tern_device_name(p->device);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0] && !p->t->failed; i++) {
        size_t bytes;
        uint8_t *data = pattern(p, p->device, p->with.dtype, counts[i], &bytes);
        if (!data) return;
        tern_tensor *x =
            tern_from_data(p->device, data, (tern_shape){1, {counts[i]}}, p->with.dtype);
        tern_tensor *there = tern_to_device(x, device);
        tern_tensor *back = tern_clone(tern_to_device(there, home));
        expect_bytes(p, "there", there, data, bytes);
        expect_bytes(p, "and back", back, data, bytes);
        tern_tensor *direct =
            tern_from_data_on(p->device, data, (tern_shape){1, {counts[i]}}, p->with.dtype, device);
        expect_bytes(p, "a copy in place", tern_copy_in_place(back, direct), data, bytes);
    }
}

static void other_device(property *p) {
    char name[REPORT_NAME];
    if (open_other(p, name, sizeof name)) visit(p, name);
}

static void reference_device(property *p) {
    if (tern_device_open(p->device, "cpu_ref") == TERN_OK) visit(p, "cpu_ref");
}

/* A view, strided on one device, arrives with its elements in order. */
static void strided_visit(property *p) {
    char other[REPORT_NAME];
    if (!open_other(p, other, sizeof other)) return;
    tern_tensor *x = counted(p->device, TERN_SHAPE(6, 7), TERN_FLOAT32, 0, 1);
    tern_tensor *view = tern_transpose(tern_slice(x, 1, 1, 7, 2), 0, 1);
    double right[18];
    for (int i = 0; i < 18; i++) {
        int row = i % 6, column = i / 6;
        right[i] = row * 7 + 1 + column * 2;
    }
    expect_doubles(p, "there", tern_to_device(view, other), right, 18);
    /* What the other device makes of strides is not this one's fault. */
    view = tern_transpose(tern_slice(tern_to_device(x, other), 1, 1, 7, 2), 0, 1);
    if (tern_to_doubles(tern_clone(view), right, 18) != TERN_OK) return;
    expect_doubles(p, "from there", tern_to_device(view, tern_device_name(p->device)), right, 18);
}

/* ---- numbers --------------------------------------------------------------------------------- */

static void items(property *p) {
    static const double numbers[] = {0, 1, 2, 3, 100, -1, -7, 0.5};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && !p->t->failed; i++) {
        bool fits = tern_dtype_is_floating(p->with.dtype) ||
                    (numbers[i] >= 0 && floor(numbers[i]) == numbers[i]);
        if (p->with.dtype == TERN_BOOL && numbers[i] > 1) fits = false;
        if (!fits) continue;
        tern_tensor *x = tern_scalar_tensor(p->device, numbers[i], p->with.dtype);
        double got = tern_item(x);
        if (got != numbers[i]) case_fail(p->t, "an item is %.17g, expected %.17g", got, numbers[i]);
        if (tern_item_i64(tern_full(p->device, TERN_SHAPE(1, 1), numbers[i], p->with.dtype)) !=
            (int64_t)numbers[i])
            case_fail(p->t, "an item as an integer is not %.17g", numbers[i]);
    }
}

/* Memory that was used is not taken for zeros, nor is anything of it left over. */
static void reused(property *p) {
    for (int turn = 0; turn < 40 && !p->t->failed; turn++) {
        tern_scope scope = tern_scope_begin(p->device, 0);
        tern_shape shape = {1, {1 + turn * 7 % 23}};
        double zeros[32] = {0};
        tern_tensor *used = tern_full(p->device, shape, 1, p->with.dtype);
        tern_drop(used);
        expect_doubles(p, "zeros", tern_zeros(p->device, shape, p->with.dtype), zeros,
                       (size_t)shape.dim[0]);
        tern_scope_end(scope);
    }
}

static void balance(property *p) {
    uint64_t before = tern_stats_of(p->device).device_bytes;
    tern_scope scope = tern_scope_begin(p->device, 0);
    tern_tensor *x = counted(p->device, TERN_SHAPE(64, 33), TERN_FLOAT32, 0, 1);
    for (int i = 0; i < 20; i++) x = tern_add(x, tern_transpose(tern_clone(x), 0, 0));
    tern_scope_end(scope);
    tern_synchronize(p->device);
    if (tern_stats_of(p->device).device_bytes != before)
        case_fail(p->t, "%llu bytes are in use, but %llu were before",
                  (unsigned long long)tern_stats_of(p->device).device_bytes,
                  (unsigned long long)before);
}

/* ---- all of them, by dtype ------------------------------------------------------------------- */

typedef struct dtype_job {
    property *p;
    void (*play)(property *p);
} dtype_job;

static void play(test_case *t, void *user) {
    dtype_job *j = user;
    j->p->t = t;
    tern_scope scope = tern_scope_begin(j->p->reference, 0);
    j->play(j->p);
    tern_error_clear(j->p->reference);
    tern_scope_end(scope);
}

void run_memory(property *p) {
    static const scene scenes[] = {{"upload", upload},
                                   {"upload_async", upload_async},
                                   {"write_host", write_host},
                                   {"parts", parts},
                                   {"storage", storage},
                                   {"import", import},
                                   {"items", items},
                                   {"reused", reused},
                                   {"other_device", other_device},
                                   {"cpu_ref", reference_device}};
    static const scene once[] = {{"balance", balance}, {"strided_visit", strided_visit}};
    char id[REPORT_NAME];
    run_scenes(p, "properties/memory", once, 2);
    if (!conformance_begin(p->run, "properties/memory")) return;
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
        for (int dtype = 0; dtype < TERN_DTYPE_COUNT && !*p->run->stop; dtype++) {
            dtype_job j = {p, scenes[i].play};
            p->with = (setting){.seed = p->run->seed, .dtype = (tern_dtype)dtype};
            snprintf(id, sizeof id, "%s/%s", scenes[i].id, tern_dtype_name((tern_dtype)dtype));
            conformance_case(p->run, NULL, tern_none(), id, play, &j);
        }
    }
}
