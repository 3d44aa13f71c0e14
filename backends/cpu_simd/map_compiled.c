/*
 * map_compiled.c: programs that are known ahead, each a loop whose values stay in registers.
 *
 * map_programs.def is made of what the library itself launches (tests/programs): for each program the
 * bytes of its attributes, by which a launch is recognised, and its steps as a function over vectors.
 */
#include <string.h>

#include "ahead.h"
#include "map.h"
#include "map_members.h"

typedef void (*loop)(const float *const *in, float *const *out, const f32v *number, int64_t n);

struct map_compiled {
    const tern_map_attrs *program;
    uint32_t size;    /* bytes behind its head */
    uint32_t numbers; /* a bit for each input that is a number */
    loop run;
    int16_t next; /* of the same hash, one more than its index; 0 where there is none */
};

#include "map_hash.h"
#include "map_programs.def"

/* ---- finding --------------------------------------------------------------------------------- */

static bool is_number(const tern_operand *o, int32_t tuples) {
    if (!o->buffer) return true;
    for (int32_t d = 0; d < o->rank; d++)
        if (o->shape[d] != 1 && o->strides[d] != 0) return false;
    return tuples == 1;
}

/* Whether what the program takes for numbers are such in each tuple. */
static bool takes(const map_compiled *c, const tern_operand *inputs, int32_t tuples) {
    for (uint32_t left = c->numbers; left; left &= left - 1)
        if (!is_number(&inputs[__builtin_ctz(left)], tuples)) return false;
    return true;
}

const map_compiled *tern_simd_map_find(const tern_map_attrs *p, const tern_operand *inputs,
                                       int32_t tuples) {
    if (p->compute != TERN_BT_FLOAT32) return NULL;
    uint32_t size = map_program_bytes(p);
    int32_t at = buckets[map_hash(p, size) % BUCKETS];
    for (; at > 0; at = compiled[at - 1].next) {
        const map_compiled *c = &compiled[at - 1];
        const tern_map_attrs *own = c->program;
        if (c->size == size && own->n_inputs == p->n_inputs && own->n_outputs == p->n_outputs &&
            own->n_constants == p->n_constants && own->n_steps == p->n_steps &&
            memcmp(own + 1, p + 1, size) == 0)
            return takes(c, inputs, tuples) ? c : NULL;
    }
    return NULL;
}

/* ---- running --------------------------------------------------------------------------------- */

typedef struct rows {
    const float *in[TERN_KIT_OPERANDS];
    float *out[TERN_KIT_OPERANDS];
    int32_t n_in, n_out;
    f32v number[TERN_KIT_OPERANDS];
} rows;

/* What is less than a vector at the end of a block, in vectors of its own. */
static void run_rest(const map_compiled *c, const rows *r, int64_t at, int64_t n) {
    f32v x[TERN_KIT_OPERANDS];
    const float *in[TERN_KIT_OPERANDS];
    float *out[TERN_KIT_OPERANDS];
    for (int32_t k = 0; k < r->n_in; k++) {
        x[k] = f32_load_some(r->in[k] + at, n);
        in[k] = (const float *)&x[k];
    }
    for (int32_t k = 0; k < r->n_out; k++) out[k] = (float *)&x[r->n_in + k];
    c->run(in, out, r->number, F32_LANES);
    for (int32_t k = 0; k < r->n_out; k++) f32_store_some(r->out[k] + at, x[r->n_in + k], n);
}

static void run_block(const map_compiled *c, const rows *r, int64_t n) {
    int64_t whole = n & -(int64_t)F32_LANES;
    if (whole) c->run(r->in, r->out, r->number, whole);
    if (whole < n) run_rest(c, r, whole, n - whole);
}

/* The first element of a tensor that is float32 without gaps; NULL of others. */
static float *plain(tern_kit_device *device, const tern_operand *o) {
    tern_backend_error err;
    if (!o->buffer || o->dtype != TERN_BT_FLOAT32 || !(o->flags & TERN_OPERAND_CONTIGUOUS))
        return NULL;
    char *base = device->memory->reach(&device->base, o->buffer, &err);
    return base ? (float *)(void *)(base + o->at.byte_offset) : NULL;
}

bool tern_simd_map_run_plain(const map_compiled *c, tern_kit_device *device,
                             const tern_operand *inputs, const tern_operand *outputs, int64_t begin,
                             int64_t end) {
    rows r;
    int32_t n_in = c->program->n_inputs, n_numbers = 0;
    r.n_in = 0;
    r.n_out = c->program->n_outputs;
    for (int32_t k = 0; k < n_in; k++) {
        if (c->numbers >> k & 1u) {
            if (inputs[k].buffer || !tern_kit_is_floating(inputs[k].dtype)) return false;
            r.number[n_numbers++] = f32_set((float)inputs[k].at.f);
        } else {
            const float *data = plain(device, &inputs[k]);
            if (!data) return false;
            r.in[r.n_in++] = data + begin;
        }
    }
    for (int32_t k = 0; k < r.n_out; k++) {
        float *data = plain(device, &outputs[k]);
        if (!data) return false;
        r.out[k] = data + begin;
    }
    run_block(c, &r, end - begin);
    return true;
}

/* Whether an operand of more than one element is no row of its own for a whole span. */
static bool is_staged(const map_operand *o) {
    return !o->linear || o->dtype != TERN_BT_FLOAT32;
}

void tern_simd_map_run_compiled(const map_compiled *c, const map_tuple *t, int64_t begin,
                                int64_t end, char *space) {
    rows r;
    int32_t tensors[TERN_KIT_OPERANDS], n_numbers = 0, n = t->n_inputs + t->n_outputs;
    int64_t block = INT64_MAX, row = MAP_SPACE / n / MAP_ALIGNMENT * MAP_ALIGNMENT;
    if (row > MAP_LONGEST * 4) row = MAP_LONGEST * 4;
    r.n_in = 0;
    r.n_out = t->n_outputs;
    for (int32_t k = 0; k < n; k++) {
        const map_operand *o = &t->operand[k];
        if (k < t->n_inputs && c->numbers >> k & 1u) {
            r.number[n_numbers++] = f32_set(o->number.f32);
            continue;
        }
        if (is_staged(o)) block = row / 4;
        if (k < t->n_inputs) tensors[r.n_in++] = k;
    }
    bool repeats = block < INT64_MAX && tern_simd_map_repeats(t, block);
    for (int32_t i = 0; i < r.n_in; i++) {
        const map_operand *o = &t->operand[tensors[i]];
        if (o->uniform)
            tern_simd_map_fill(t->compute, o->number, end - begin < block ? end - begin : block,
                               space + tensors[i] * row);
    }
    for (int64_t at = begin, m; at < end; at += m) {
        m = tern_simd_map_block(t, at, end, block);
        for (int32_t i = 0; i < r.n_in; i++)
            r.in[i] = (const float *)(void *)tern_simd_map_load(
                t, tensors[i], at, m, repeats && at > begin, space + tensors[i] * row);
        for (int32_t o = 0; o < r.n_out; o++) {
            char *place = tern_simd_map_place(t, o, at, m);
            r.out[o] = (float *)(void *)(place ? place : space + (t->n_inputs + o) * row);
        }
        run_block(c, &r, m);
        for (int32_t o = 0; o < r.n_out; o++)
            if ((char *)r.out[o] == space + (t->n_inputs + o) * row)
                tern_simd_map_store(t, o, at, m, (const char *)r.out[o]);
    }
}
