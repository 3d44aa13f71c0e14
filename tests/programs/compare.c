#include "compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/objects.h"
#include "record.h"
#include "tern/tern.h"

enum { MOST_OPERANDS = 24, COLUMNS = 33, LARGEST = 40000 };

/* How the tensors of a launch lie. */
enum { PLAIN, SHIFTED, IN_PLACE, BROADCAST, NARROW, LAYOUTS };
static const char *const layouts[] = {"contiguous", "shifted by an element", "in place",
                                      "broadcast", "bfloat16"};

static const int64_t sizes[] = {1, 2, 7, 16, 40, 999, LARGEST};

typedef struct launching {
    tern_bdevice *device;
    const tern_bdevice_vtable *table;
    tern_operand in[MOST_OPERANDS], out[MOST_OPERANDS];
    int64_t shape[2], strides[MOST_OPERANDS][2], whole[2];
    uint64_t bytes; /* of each buffer */
} launching;

static uint32_t seed;

static float next_number(void) {
    static const float special[] = {0, -0.0F, 1, -1, 1e-40F, 3e38F, 100, -100};
    seed = seed * 1664525u + 1013904223u;
    if (seed >> 28 == 0) return special[seed >> 8 & 7u];
    if (seed >> 20 == 0x100) return __builtin_inff();
    if (seed >> 20 == 0x101) return -__builtin_inff();
    if (seed >> 20 == 0x102) return __builtin_nanf("");
    return (float)((double)(seed >> 8) / (1 << 24) * 8 - 4);
}

/* Fills a buffer with numbers, the same for the same seed. */
static void fill(const launching *l, tern_bbuffer *buffer, int32_t dtype) {
    static float numbers[LARGEST + 1];
    static uint16_t halves[2 * (LARGEST + 1)];
    tern_backend_error err;
    for (int k = 0; k <= LARGEST; k++) {
        uint32_t bits;
        numbers[k] = next_number();
        memcpy(&bits, &numbers[k], sizeof bits);
        halves[2 * k] = (uint16_t)(bits >> 16);
        halves[2 * k + 1] = (uint16_t)(bits >> 17);
    }
    const void *from = dtype == TERN_BT_BFLOAT16 ? (const void *)halves : numbers;
    l->table->copy_to_device(l->device, NULL, buffer, 0, from, l->bytes, &err);
}

/* An operand in a buffer of its own. */
static bool place(launching *l, tern_operand *operand, int index, int layout) {
    tern_backend_error err;
    bool broadcasts = layout == BROADCAST && operand >= l->in && operand < l->in + MOST_OPERANDS;
    int64_t *strides = l->strides[index];
    memset(operand, 0, sizeof *operand);
    if (l->table->buffer_alloc(l->device, l->bytes, &operand->buffer, &err) != TERN_BACKEND_OK)
        return false;
    operand->dtype = layout == NARROW && index % 2 == 0 ? TERN_BT_BFLOAT16 : TERN_BT_FLOAT32;
    operand->at.byte_offset = layout == SHIFTED && index % 2 ? sizeof(float) : 0;
    operand->rank = 2;
    operand->shape = l->shape;
    operand->strides = strides;
    strides[0] = broadcasts && index % 3 == 0 ? 0 : l->shape[1];
    strides[1] = broadcasts && index % 3 == 1 ? 0 : 1;
    if (strides[0] && strides[1]) operand->flags = TERN_OPERAND_CONTIGUOUS;
    fill(l, operand->buffer, operand->dtype);
    return true;
}

static void give_back(launching *l, const recorded *r) {
    for (int k = 0; k < MOST_OPERANDS; k++) {
        if (l->in[k].buffer) l->table->buffer_free(l->device, NULL, l->in[k].buffer);
        bool own = k < r->program->n_outputs && l->out[k].buffer;
        for (int i = 0; i < MOST_OPERANDS; i++) own = own && l->out[k].buffer != l->in[i].buffer;
        if (own) l->table->buffer_free(l->device, NULL, l->out[k].buffer);
    }
}

/* Operands of `n` positions; outputs lie where tensors among the inputs do, for IN_PLACE. */
static bool prepare(launching *l, const recorded *r, int64_t n, int layout) {
    int tensors[MOST_OPERANDS], n_tensors = 0, n_in = r->program->n_inputs;
    bool fine = true;
    memset(l->in, 0, sizeof l->in);
    memset(l->out, 0, sizeof l->out);
    seed = 1;
    l->shape[1] = n > COLUMNS ? COLUMNS : n;
    l->shape[0] = n / l->shape[1];
    for (int k = 0; fine && k < n_in; k++) {
        if (r->numbers >> k & 1u) {
            l->in[k].at.f = (double)(float)(0.1 + 0.8 * k / n_in);
            continue;
        }
        tensors[n_tensors++] = k;
        fine = place(l, &l->in[k], k, layout);
    }
    for (int k = 0; fine && k < r->program->n_outputs; k++) {
        if (layout == IN_PLACE && k < n_tensors)
            l->out[k] = l->in[tensors[k]];
        else
            fine = place(l, &l->out[k], n_in + k, layout);
    }
    return fine;
}

/* Runs a program and reads its outputs, one behind the other. */
static bool run(launching *l, const recorded *r, const tern_map_attrs *program, uint32_t size,
                int64_t n, int layout, char *results) {
    tern_backend_error err = {""};
    bool fine = prepare(l, r, n, layout);
    int32_t n_in = program->n_inputs, n_out = program->n_outputs;
    fine = fine &&
           l->table->launch(l->device, NULL, TERN_KERNEL_MAP, l->in, n_in, l->out, n_out, program,
                            (uint32_t)sizeof *program + size, &err) == TERN_BACKEND_OK;
    for (int k = 0; fine && k < n_out; k++)
        l->table->copy_to_host(l->device, NULL, results + (size_t)k * l->bytes, l->out[k].buffer, 0,
                               l->bytes, &err);
    give_back(l, r);
    return fine;
}

/* The program with one step more; NULL without memory. */
static tern_map_attrs *with_a_step_more(const recorded *r) {
    static const tern_map_step step = {TERN_KERNEL_COPY, TERN_BT_FLOAT32, {0, -1, -1, -1}};
    const tern_map_attrs *p = r->program;
    tern_map_attrs *longer = malloc(sizeof *p + r->size + sizeof step);
    if (!longer) return NULL;
    size_t outputs = (size_t)p->n_outputs * sizeof(int16_t), before = r->size - outputs;
    char *at = (char *)(longer + 1);
    *longer = *p;
    longer->n_steps++;
    memcpy(at, p + 1, before);
    memcpy(at + before, &step, sizeof step);
    memcpy(at + before + sizeof step, tern_map_outputs(p), outputs);
    return longer;
}

static bool is_nan(uint32_t bits) {
    return (bits & 0x7fffffffu) > 0x7f800000u;
}

/* Equal bits of float32, and where outputs may be bfloat16, of those; one NaN is as good as another. */
static bool are_equal(const char *a, const char *b, size_t bytes, bool narrow) {
    for (size_t at = 0; at < bytes; at += sizeof(uint32_t)) {
        uint32_t x, y;
        memcpy(&x, a + at, sizeof x);
        memcpy(&y, b + at, sizeof y);
        bool same = x == y || (is_nan(x) && is_nan(y));
        bool high = x >> 16 == y >> 16 || (is_nan(x) && is_nan(y));
        bool low = (x & 0xffffu) == (y & 0xffffu) || (is_nan(x << 16) && is_nan(y << 16));
        if (!same && !(narrow && high && low)) return false;
    }
    return true;
}

static bool compare(launching *l, const recorded *r, const tern_map_attrs *longer,
                    char *results[2]) {
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (int layout = 0; layout < LAYOUTS; layout++) {
            int64_t n = sizes[s];
            l->bytes = ((uint64_t)n + 1) * sizeof(float);
            size_t bytes = (size_t)l->bytes * (size_t)r->program->n_outputs;
            bool ran =
                run(l, r, r->program, r->size, n, layout, results[0]) &&
                run(l, r, longer, r->size + (uint32_t)sizeof(tern_map_step), n, layout, results[1]);
            if (ran && are_equal(results[0], results[1], bytes, layout == NARROW)) continue;
            fprintf(stderr, "%s: %lld positions, %s: %s\n", r->label, (long long)n, layouts[layout],
                    ran ? "not the bits of its steps" : "failed");
            return false;
        }
    return true;
}

bool compare_programs(const char *device) {
    tern_ctx *ctx = tern_open(device);
    if (tern_check(ctx) != TERN_OK) {
        printf("no %s here: %s\n", device, tern_error(ctx));
        tern_close(ctx);
        return true;
    }
    launching l = {.device = ctx->lanes[0]->device->object,
                   .table = &ctx->lanes[0]->device->vtable};
    size_t most = (LARGEST + 1) * sizeof(float) * MOST_OPERANDS;
    char *results[] = {calloc(1, most), calloc(1, most)};
    bool equal = results[0] && results[1];
    for (int k = 0; equal && k < n_programs; k++) {
        tern_map_attrs *longer = with_a_step_more(&programs[k]);
        equal = longer && compare(&l, &programs[k], longer, results);
        free(longer);
    }
    free(results[0]);
    free(results[1]);
    return tern_close(ctx) == TERN_OK && equal;
}
