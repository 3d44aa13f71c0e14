/*
 * hash_kernels.c: every kernel of cpu_ref with the same numbers, through the plugin ABI alone.
 *
 * In a static build the backend is linked in under its static name, in a shared one it is a plugin's file.
 * What it does not support is left out; the number of subjects tells a backend that supports nothing from one
 * that works.
 */
#define _POSIX_C_SOURCE 200809L
#include "hash.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tern/backend.h"

#ifdef TERN_STATIC
int32_t tern_backend_query_cpu_ref(uint32_t host_abi, const tern_host *host,
                                   tern_backend_desc *out_desc, tern_backend_error *err);

static tern_backend_query_fn query_of(const char *plugin) {
    (void)plugin;
    return tern_backend_query_cpu_ref;
}
#else
static tern_backend_query_fn query_of(const char *plugin) {
    void *library = plugin ? dlopen(plugin, RTLD_NOW | RTLD_LOCAL) : NULL;
    void *symbol = library ? dlsym(library, TERN_BACKEND_QUERY_SYMBOL) : NULL;
    if (!symbol) fprintf(stderr, "hash: %s\n", plugin ? dlerror() : "which plugin?");
    tern_backend_query_fn query = NULL;
    memcpy(&query, &symbol, sizeof query);
    return query;
}
#endif

#define LARGEST 4096 /* elements of an operand */

static const char *const dtype_names[TERN_BT_COUNT] = {"float32", "float64", "float16", "bfloat16",
                                                       "int64",   "int32",   "int16",   "int8",
                                                       "uint8",   "bool"};
static const uint32_t dtype_sizes[TERN_BT_COUNT] = {4, 8, 2, 2, 8, 4, 2, 1, 1, 1};

/* An operand with its own shape and row-major strides. */
typedef struct array {
    tern_operand operand;
    int64_t shape[4];
    int64_t strides[4];
} array;

static tern_bdevice *device;
static bool broken;

static void expect(int32_t status, const char *what, const tern_backend_error *err) {
    if (status == TERN_BACKEND_OK || broken) return;
    fprintf(stderr, "tern_hash: %s: %s\n", what, err->message);
    broken = true;
}

/* ---- operands -------------------------------------------------------------------------------- */

static uint64_t bytes_of(const array *a) {
    uint64_t count = 1;
    for (int32_t d = 0; d < a->operand.rank; d++) count *= (uint64_t)a->shape[d];
    return count * dtype_sizes[a->operand.dtype];
}

static void array_new(array *a, int32_t dtype, int32_t rank, const int64_t *shape) {
    tern_backend_error err = {""};
    memset(a, 0, sizeof *a);
    int64_t stride = 1;
    for (int32_t d = rank; d-- > 0;) {
        a->shape[d] = shape[d];
        a->strides[d] = stride;
        stride *= shape[d];
    }
    a->operand =
        (tern_operand){.dtype = dtype, .rank = rank, .shape = a->shape, .strides = a->strides};
    expect(device->vtable->buffer_alloc(device, bytes_of(a), &a->operand.buffer, &err),
           "buffer_alloc", &err);
    unsigned char zeros[LARGEST * 8] = {0};
    expect(device->vtable->copy_to_device(device, NULL, a->operand.buffer, 0, zeros, bytes_of(a),
                                          &err),
           "copy_to_device", &err);
}

static void array_free(array *a) {
    if (a->operand.buffer) device->vtable->buffer_free(device, NULL, a->operand.buffer);
}

/* Numbers of the fixed sequence, converted by the backend's own COPY. */
static void fill_numbers(array *a, uint64_t seed) {
    tern_backend_error err = {""};
    double numbers[LARGEST];
    uint64_t count = bytes_of(a) / dtype_sizes[a->operand.dtype];
    for (uint64_t i = 0; i < count; i++) numbers[i] = hash_number(&seed);
    array source;
    array_new(&source, TERN_BT_FLOAT64, a->operand.rank, a->shape);
    expect(device->vtable->copy_to_device(device, NULL, source.operand.buffer, 0, numbers,
                                          count * sizeof *numbers, &err),
           "copy_to_device", &err);
    expect(device->vtable->launch(device, NULL, TERN_KERNEL_COPY, &source.operand, 1, &a->operand,
                                  1, NULL, 0, &err),
           "COPY", &err);
    array_free(&source);
}

/* Indices below `limit`. */
static void fill_indices(array *a, uint64_t seed, uint64_t limit) {
    tern_backend_error err = {""};
    int64_t indices[LARGEST];
    uint64_t count = bytes_of(a) / sizeof *indices;
    for (uint64_t i = 0; i < count; i++) indices[i] = (int64_t)(hash_random(&seed) % limit);
    expect(device->vtable->copy_to_device(device, NULL, a->operand.buffer, 0, indices,
                                          count * sizeof *indices, &err),
           "copy_to_device", &err);
}

/* ---- results --------------------------------------------------------------------------------- */

/* Makes any NaN the same one. */
static void canonical(unsigned char *element, int32_t dtype) {
    uint64_t bits = 0;
    static const uint64_t infinity[4] = {0x7f800000u, 0x7ff0000000000000u, 0x7c00u, 0x7f80u};
    if (dtype > TERN_BT_BFLOAT16) return;
    uint32_t size = dtype_sizes[dtype];
    for (uint32_t i = 0; i < size; i++) bits |= (uint64_t)element[i] << (8 * i);
    uint64_t magnitude = bits & ~((uint64_t)1 << (8 * size - 1));
    if (magnitude > infinity[dtype]) memset(element, 0xff, size);
}

static uint64_t hash_array(uint64_t hash, const array *a) {
    tern_backend_error err = {""};
    unsigned char bytes[LARGEST * 8];
    uint64_t count = bytes_of(a);
    expect(device->vtable->copy_to_host(device, NULL, bytes, a->operand.buffer, 0, count, &err),
           "copy_to_host", &err);
    uint32_t size = dtype_sizes[a->operand.dtype];
    for (uint64_t i = 0; i < count; i += size) canonical(bytes + i, a->operand.dtype);
    return hash_bytes(hash, bytes, count);
}

/* One launch with its subject's name; a member that is not supported prints nothing. */
typedef struct call {
    const char *name;
    int32_t kernel;
    int32_t fn;
    const void *attrs;
    uint32_t attrs_size;
    array in[3];
    int32_t n_in;
    array out[2];
    int32_t n_out;
} call;

static bool supported(const call *c) {
    int32_t in[3] = {0}, out[2] = {0};
    const char *reason = NULL;
    for (int32_t i = 0; i < c->n_in; i++) in[i] = c->in[i].operand.dtype;
    for (int32_t i = 0; i < c->n_out; i++) out[i] = c->out[i].operand.dtype;
    tern_kernel_query query = {sizeof query, c->kernel,     c->fn, c->n_in,
                               c->n_out,     c->attrs_size, in,    out};
    return device->vtable->supports(device, &query, &reason);
}

/* Runs, hashes the outputs and the status (an integer division by zero), frees the operands. */
static void run(call *c) {
    tern_backend_error err = {""};
    if (supported(c)) {
        tern_operand in[3], out[2];
        for (int32_t i = 0; i < c->n_in; i++) in[i] = c->in[i].operand;
        for (int32_t i = 0; i < c->n_out; i++) out[i] = c->out[i].operand;
        int32_t status = device->vtable->launch(device, NULL, c->kernel, in, c->n_in, out, c->n_out,
                                                c->attrs, c->attrs_size, &err);
        if (status != TERN_BACKEND_BAD_INDEX) expect(status, c->name, &err);
        uint64_t hash = hash_bytes(HASH_START, &status, 1);
        for (int32_t i = 0; i < c->n_out; i++) hash = hash_array(hash, &c->out[i]);
        char subject[96];
        snprintf(subject, sizeof subject, "cpu_ref/%s/%d/%s", c->name, (int)c->fn,
                 dtype_names[c->in[c->n_in - 1].operand.dtype]);
        hash_report(subject, hash);
    }
    for (int32_t i = 0; i < c->n_in; i++) array_free(&c->in[i]);
    for (int32_t i = 0; i < c->n_out; i++) array_free(&c->out[i]);
}

/* ---- families -------------------------------------------------------------------------------- */

static const int64_t flat[1] = {2000};

static void input(call *c, int32_t dtype, int32_t rank, const int64_t *shape) {
    array *a = &c->in[c->n_in++];
    array_new(a, dtype, rank, shape);
    fill_numbers(a, (uint64_t)c->n_in * 77);
}

static void indices(call *c, int32_t rank, const int64_t *shape, uint64_t limit) {
    array *a = &c->in[c->n_in++];
    array_new(a, TERN_BT_INT64, rank, shape);
    fill_indices(a, 5, limit);
}

static void output(call *c, int32_t dtype, int32_t rank, const int64_t *shape) {
    array_new(&c->out[c->n_out++], dtype, rank, shape);
}

static void copies(int32_t dtype) {
    for (int32_t to = 0; to < TERN_BT_COUNT; to++) {
        char name[32];
        snprintf(name, sizeof name, "copy_to_%s", dtype_names[to]);
        call c = {.name = name, .kernel = TERN_KERNEL_COPY};
        input(&c, dtype, 1, flat);
        output(&c, to, 1, flat);
        run(&c);
    }
}

static bool writes_bool(int32_t fn) {
    return fn == TERN_UNARY_LOGICAL_NOT || (fn >= TERN_UNARY_ISNAN && fn <= TERN_UNARY_SIGNBIT);
}

static void unary(int32_t dtype) {
    for (int32_t fn = TERN_UNARY_NEG; fn <= TERN_UNARY_TRIGAMMA; fn++) {
        tern_unary_attrs attrs = {fn, 0};
        call c = {.name = "unary", .kernel = TERN_KERNEL_UNARY, .fn = fn};
        c.attrs = &attrs;
        c.attrs_size = sizeof attrs;
        input(&c, dtype, 1, flat);
        output(&c, writes_bool(fn) ? TERN_BT_BOOL : dtype, 1, flat);
        run(&c);
    }
}

static void binary(int32_t dtype) {
    for (int32_t fn = TERN_BINARY_ADD; fn <= TERN_BINARY_HEAVISIDE; fn++) {
        tern_binary_attrs attrs = {fn, 0, 1.25, 3};
        call c = {.name = "binary", .kernel = TERN_KERNEL_BINARY, .fn = fn};
        c.attrs = &attrs;
        c.attrs_size = sizeof attrs;
        input(&c, dtype, 1, flat);
        input(&c, dtype, 1, flat);
        bool logic = fn >= TERN_BINARY_EQ && fn <= TERN_BINARY_LOGICAL_XOR;
        output(&c, logic ? TERN_BT_BOOL : dtype, 1, flat);
        run(&c);
    }
}

static void ternary(int32_t dtype) {
    for (int32_t fn = TERN_TERNARY_WHERE; fn <= TERN_TERNARY_LERP; fn++) {
        tern_ternary_attrs attrs = {fn, 0, 0.75, 2};
        call c = {.name = "ternary", .kernel = TERN_KERNEL_TERNARY, .fn = fn};
        c.attrs = &attrs;
        c.attrs_size = sizeof attrs;
        input(&c, fn == TERN_TERNARY_WHERE ? TERN_BT_BOOL : dtype, 1, flat);
        input(&c, dtype, 1, flat);
        input(&c, dtype, 1, flat);
        output(&c, dtype, 1, flat);
        run(&c);
    }
}

static int32_t reduced_dtype(int32_t fn, int32_t dtype) {
    if (fn == TERN_REDUCE_ARGMAX || fn == TERN_REDUCE_ARGMIN) return TERN_BT_INT64;
    if (fn == TERN_REDUCE_ANY || fn == TERN_REDUCE_ALL) return TERN_BT_BOOL;
    return dtype;
}

static void reduce(int32_t dtype) {
    static const char *const names[8] = {"",         "reduce_0",  "reduce_1",  "reduce_01",
                                         "reduce_2", "reduce_02", "reduce_12", "reduce_012"};
    static const int64_t shape[3] = {7, 33, 13};
    for (int32_t fn = TERN_REDUCE_SUM; fn <= TERN_REDUCE_MEAN; fn++)
        for (uint32_t dims = 1; dims < 8; dims++) {
            /* The core converts integers to int64 before it adds or multiplies. */
            bool adds = fn == TERN_REDUCE_SUM || fn == TERN_REDUCE_PROD;
            if (adds && dtype > TERN_BT_INT64) continue;
            tern_reduce_attrs attrs = {fn, dims, fn == TERN_REDUCE_NORM ? 2 : 1};
            call c = {.name = names[dims], .kernel = TERN_KERNEL_REDUCE, .fn = fn};
            c.attrs = &attrs;
            c.attrs_size = sizeof attrs;
            int64_t reduced[3];
            for (int d = 0; d < 3; d++) reduced[d] = dims >> d & 1 ? 1 : shape[d];
            input(&c, dtype, 3, shape);
            output(&c, reduced_dtype(fn, dtype), 3, reduced);
            run(&c);
        }
}

static void scan_and_sort(int32_t dtype) {
    static const int64_t shape[2] = {40, 50};
    for (int32_t dim = 0; dim < 2; dim++) {
        for (int32_t fn = TERN_SCAN_CUMSUM; fn <= TERN_SCAN_LOGCUMSUMEXP; fn++) {
            tern_scan_attrs attrs = {fn, dim};
            call c = {.name = dim ? "scan_1" : "scan_0", .kernel = TERN_KERNEL_SCAN, .fn = fn};
            c.attrs = &attrs;
            c.attrs_size = sizeof attrs;
            input(&c, dtype, 2, shape);
            output(&c, dtype, 2, shape);
            if (fn == TERN_SCAN_CUMMAX || fn == TERN_SCAN_CUMMIN)
                output(&c, TERN_BT_INT64, 2, shape);
            run(&c);
        }
        tern_sort_attrs attrs = {dim, dim};
        call c = {.name = dim ? "sort_1" : "sort_0", .kernel = TERN_KERNEL_SORT};
        c.attrs = &attrs;
        c.attrs_size = sizeof attrs;
        input(&c, dtype, 2, shape);
        output(&c, dtype, 2, shape);
        output(&c, TERN_BT_INT64, 2, shape);
        run(&c);
    }
}

static void matmul(int32_t dtype) {
    static const int64_t a[3] = {2, 11, 67}, b[3] = {2, 67, 5}, out[3] = {2, 11, 5};
    for (int32_t bias = 0; bias < 2; bias++) {
        tern_matmul_attrs attrs = {0.5, bias ? 2.0 : 0.0, 3, bias ? 2 : 0};
        call c = {.name = bias ? "matmul_bias" : "matmul", .kernel = TERN_KERNEL_MATMUL};
        c.attrs = &attrs;
        c.attrs_size = sizeof attrs;
        input(&c, dtype, 3, a);
        input(&c, dtype, 3, b);
        if (bias) input(&c, dtype, 3, out);
        output(&c, dtype, 3, out);
        run(&c);
    }
}

static void gather_and_scatter(int32_t dtype) {
    static const int64_t shape[2] = {30, 40}, index[2] = {20, 40};
    tern_index_attrs attrs = {0, TERN_SCATTER_SET, 1.0, 1};
    call gather = {.name = "gather", .kernel = TERN_KERNEL_GATHER};
    gather.attrs = &attrs;
    gather.attrs_size = sizeof attrs;
    input(&gather, dtype, 2, shape);
    indices(&gather, 2, index, 30);
    output(&gather, dtype, 2, index);
    run(&gather);
    for (int32_t how = TERN_SCATTER_SET; how <= TERN_SCATTER_MIN; how++) {
        attrs.reduce = how;
        call scatter = {.name = "scatter", .kernel = TERN_KERNEL_SCATTER, .fn = how};
        scatter.attrs = &attrs;
        scatter.attrs_size = sizeof attrs;
        indices(&scatter, 2, index, 30);
        input(&scatter, dtype, 2, index);
        output(&scatter, dtype, 2, shape);
        run(&scatter);
    }
}

static void softmax(int32_t dtype) {
    static const int64_t shape[2] = {40, 50};
    for (int32_t kernel = TERN_KERNEL_SOFTMAX; kernel <= TERN_KERNEL_LOG_SOFTMAX; kernel++) {
        tern_softmax_attrs attrs = {1, 0};
        call c = {.name = kernel == TERN_KERNEL_SOFTMAX ? "softmax" : "log_softmax"};
        c.kernel = kernel;
        c.attrs = &attrs;
        c.attrs_size = sizeof attrs;
        input(&c, dtype, 2, shape);
        output(&c, dtype, 2, shape);
        run(&c);
    }
}

/* ---- the backend ----------------------------------------------------------------------------- */

static void *host_alloc(size_t bytes) {
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
}
static void host_free(void *memory) {
    free(memory);
}
static void host_log(int level, const char *message) {
    (void)level;
    (void)message;
}
static int host_threads(void) {
    return 1;
}
static void host_parallel_for(int64_t n, int64_t grain,
                              void (*fn)(void *arg, int64_t begin, int64_t end), void *arg) {
    for (int64_t begin = 0; begin < n; begin += grain)
        fn(arg, begin, n - begin < grain ? n : begin + grain);
}

bool hash_kernels(const char *plugin) {
    tern_backend_query_fn query = query_of(plugin);
    if (!query) return false;
    static const tern_host host = {
        sizeof host, TERN_BACKEND_ABI, host_alloc,        host_free,
        host_log,    host_threads,     host_parallel_for,
    };
    static void (*const families[])(int32_t dtype) = {
        copies, unary, binary, ternary, reduce, scan_and_sort, matmul, gather_and_scatter, softmax,
    };
    tern_backend_desc desc = {.struct_size = sizeof desc};
    tern_backend_error err = {""};
    expect(query(TERN_BACKEND_ABI, &host, &desc, &err), "query", &err);
    if (!broken) expect(desc.device_open(0, &device, &err), "device_open", &err);
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        for (int32_t dtype = 0; dtype < TERN_BT_COUNT && !broken; dtype++) families[i](dtype);
    if (device) device->vtable->close(device);
    return !broken;
}
