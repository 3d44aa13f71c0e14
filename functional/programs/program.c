/* program.c: building programs, and the form in which they are launched. */
#include "made.h"

#include <string.h>

int tern_program_arity(int family) {
    return family == TERN_KERNEL_TERNARY ? 3 : family == TERN_KERNEL_BINARY ? 2 : 1;
}

bool tern_program_takes_factor(int family, int fn) {
    if (family == TERN_KERNEL_BINARY) return fn == TERN_BINARY_ADD || fn == TERN_BINARY_SUB;
    return family == TERN_KERNEL_TERNARY &&
           (fn == TERN_TERNARY_ADDCMUL || fn == TERN_TERNARY_ADDCDIV);
}

/* Integer division sets an error where the divisor is 0, which a WHERE around it could not take back;
 * a power may be negative: both are computed as floats, as PyTorch's true division is. */
bool tern_program_is_integral(int family, int fn) {
    if (family == TERN_KERNEL_UNARY)
        return fn <= TERN_UNARY_SQUARE || (fn >= TERN_UNARY_FLOOR && fn <= TERN_UNARY_ROUND) ||
               fn == TERN_UNARY_RELU || fn == TERN_UNARY_LOGICAL_NOT || fn == TERN_UNARY_SIGNBIT;
    if (family == TERN_KERNEL_BINARY)
        return fn <= TERN_BINARY_MUL || (fn >= TERN_BINARY_MAXIMUM && fn <= TERN_BINARY_FMIN) ||
               (fn >= TERN_BINARY_EQ && fn <= TERN_BINARY_LOGICAL_XOR);
    return family == TERN_KERNEL_TERNARY && fn <= TERN_TERNARY_CLAMP;
}

/* ---- values ---------------------------------------------------------------------------------- */

tern_program *tern_program_new(tern_ctx *ctx) {
    return tern_scope_alloc(ctx, sizeof(tern_program));
}

void tern_program_begin(tern_program *p, int n_inputs, int limit) {
    p->n_inputs = n_inputs;
    p->n_constants = p->n_steps = p->n_outputs = 0;
    p->limit = limit;
    p->full = p->floats = false;
}

bool tern_program_is_constant(const tern_program *p, int16_t value, double *out_number) {
    if (value < TERN_P_CONSTANT || value >= TERN_P_STEP) return false;
    *out_number = p->constants[value - TERN_P_CONSTANT];
    return true;
}

bool tern_program_is_logical(const tern_program *p, int16_t value) {
    double number;
    if (tern_program_is_constant(p, value, &number)) return number == 0 || number == 1;
    if (value < TERN_P_STEP) return false;
    const tern_map_step *step = &p->steps[value - TERN_P_STEP];
    return tern_kernel_gives_bool(step->family, step->fn);
}

static uint64_t bits_of(double number) {
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

int16_t tern_program_number(tern_program *p, double number) {
    /* By their bits: 0 and -0 are two, and NaN is one. */
    for (int k = 0; k < p->n_constants; k++)
        if (bits_of(p->constants[k]) == bits_of(number)) return (int16_t)(TERN_P_CONSTANT + k);
    if (p->n_constants == TERN_P_CONSTANTS) {
        p->full = true;
        return TERN_P_NONE;
    }
    p->constants[p->n_constants] = number;
    return (int16_t)(TERN_P_CONSTANT + p->n_constants++);
}

/* The number that a step over constants gives; false where it is no such step. */
static bool folded(const tern_program *p, int family, int fn, const int16_t *source,
                   double *out_number) {
    double numbers[4] = {0, 0, 1, 1};
    for (int i = 0; i < 4; i++)
        if (source[i] >= 0 && !tern_program_is_constant(p, source[i], &numbers[i])) return false;
    return tern_program_fold(family, fn, numbers, out_number);
}

/* The source that a step comes down to, with the same bits; TERN_P_NONE where it does something. */
static int16_t reduced(const tern_program *p, int family, int fn, const int16_t *source) {
    double a = 0, b = 0;
    bool first = tern_program_is_constant(p, source[0], &a);
    bool second = source[1] >= 0 && tern_program_is_constant(p, source[1], &b);
    if (family == TERN_KERNEL_TERNARY && fn == TERN_TERNARY_WHERE && first)
        return a != 0 ? source[1] : source[2];
    if (family != TERN_KERNEL_BINARY) return TERN_P_NONE;
    bool by_one = fn == TERN_BINARY_MUL || fn == TERN_BINARY_DIV || fn == TERN_BINARY_POW;
    if (by_one && second && b == 1) return source[0];
    if (fn == TERN_BINARY_MUL && first && a == 1) return source[1];
    return TERN_P_NONE;
}

int16_t tern_program_step(tern_program *p, int family, int fn, const int16_t source[4]) {
    double number;
    for (int i = 0; i < tern_program_arity(family); i++)
        if (source[i] < 0) return TERN_P_NONE;
    if (folded(p, family, fn, source, &number)) return tern_program_number(p, number);
    int16_t same = reduced(p, family, fn, source);
    if (same >= 0) return same;
    tern_map_step step = {
        (int16_t)family, (int16_t)fn, {source[0], source[1], source[2], source[3]}};
    for (int k = 0; k < p->n_steps; k++)
        if (memcmp(&p->steps[k], &step, sizeof step) == 0) return (int16_t)(TERN_P_STEP + k);
    if (p->n_steps >= p->limit) {
        p->full = true;
        return TERN_P_NONE;
    }
    p->floats = p->floats || !tern_program_is_integral(family, fn);
    p->steps[p->n_steps] = step;
    return (int16_t)(TERN_P_STEP + p->n_steps++);
}

int16_t tern_program_unary(tern_program *p, int fn, int16_t a) {
    return tern_program_step(p, TERN_KERNEL_UNARY, fn, (const int16_t[]){a, -1, -1, -1});
}

int16_t tern_program_binary(tern_program *p, int fn, int16_t a, int16_t b) {
    return tern_program_step(p, TERN_KERNEL_BINARY, fn, (const int16_t[]){a, b, -1, -1});
}

/* ---- the finished form ----------------------------------------------------------------------- */

/* Where values go: their numbers in the finished program, TERN_P_NONE for what is not needed. */
typedef struct numbering {
    int16_t constants[TERN_P_CONSTANTS], steps[TERN_P_STEPS];
    int n_constants, n_steps;
} numbering;

static int16_t *place(numbering *n, int16_t value) {
    return value >= TERN_P_STEP       ? &n->steps[value - TERN_P_STEP]
           : value >= TERN_P_CONSTANT ? &n->constants[value - TERN_P_CONSTANT]
                                      : NULL;
}

static void need(numbering *n, int16_t value) {
    int16_t *at = value >= 0 ? place(n, value) : NULL;
    if (at) *at = 0;
}

static void number_values(const tern_program *p, numbering *n) {
    n->n_constants = n->n_steps = 0;
    memset(n->constants, 0xff, sizeof n->constants);
    memset(n->steps, 0xff, sizeof n->steps);
    for (int k = 0; k < p->n_outputs; k++) need(n, p->outputs[k]);
    for (int k = p->n_steps - 1; k >= 0; k--)
        for (int i = 0; n->steps[k] >= 0 && i < 4; i++) need(n, p->steps[k].source[i]);
    int next = p->n_inputs;
    for (int k = 0; k < p->n_constants; k++)
        if (n->constants[k] >= 0) n->constants[k] = (int16_t)(next + n->n_constants++);
    next += n->n_constants;
    for (int k = 0; k < p->n_steps; k++)
        if (n->steps[k] >= 0) n->steps[k] = (int16_t)(next + n->n_steps++);
}

void tern_program_reads(const tern_program *p, bool *out_read) {
    numbering n;
    number_values(p, &n);
    memset(out_read, 0, (size_t)p->n_inputs * sizeof *out_read);
    for (int k = 0; k < p->n_outputs; k++)
        if (p->outputs[k] < p->n_inputs) out_read[p->outputs[k]] = true;
    for (int k = 0; k < p->n_steps; k++)
        for (int i = 0; n.steps[k] >= 0 && i < 4; i++) {
            int16_t source = p->steps[k].source[i];
            if (source >= 0 && source < p->n_inputs) out_read[source] = true;
        }
}

void tern_program_reorder(tern_program *p, int n_inputs, const int16_t *order) {
    for (int k = 0; k < p->n_steps; k++)
        for (int i = 0; i < 4; i++) {
            int16_t *source = &p->steps[k].source[i];
            if (*source >= 0 && *source < p->n_inputs) *source = order[*source];
        }
    for (int k = 0; k < p->n_outputs; k++)
        if (p->outputs[k] < p->n_inputs) p->outputs[k] = order[p->outputs[k]];
    p->n_inputs = n_inputs;
}

static int16_t renumbered(numbering *n, int16_t value) {
    const int16_t *at = value >= 0 ? place(n, value) : NULL;
    return at ? *at : value;
}

size_t tern_program_size(const tern_map_attrs *attrs) {
    return sizeof *attrs + (size_t)attrs->n_constants * sizeof(tern_map_constant) +
           (size_t)attrs->n_steps * sizeof(tern_map_step) +
           (size_t)attrs->n_outputs * sizeof(int16_t);
}

static void write_parts(const tern_program *p, numbering *n, tern_dtype compute,
                        const tern_map_attrs *attrs) {
    tern_map_constant *constant = (tern_map_constant *)tern_map_constants(attrs);
    tern_map_step *step = (tern_map_step *)tern_map_steps(attrs);
    int16_t *output = (int16_t *)tern_map_outputs(attrs);
    for (int k = 0; k < p->n_constants; k++) {
        if (n->constants[k] < 0) continue;
        if (compute == TERN_INT64)
            constant++->i = (int64_t)p->constants[k];
        else
            constant++->f = p->constants[k];
    }
    for (int k = 0; k < p->n_steps; k++) {
        if (n->steps[k] < 0) continue;
        *step = p->steps[k];
        for (int i = 0; i < 4; i++) step->source[i] = renumbered(n, step->source[i]);
        step++;
    }
    for (int k = 0; k < p->n_outputs; k++) output[k] = renumbered(n, p->outputs[k]);
}

/* The same without factors, which no integer step has: a product is a step as exact. NULL after latching. */
static const tern_program *without_factors(tern_ctx *ctx, const tern_program *p) {
    tern_program *out = tern_program_new(ctx);
    int16_t *now = tern_scope_alloc(ctx, TERN_P_STEPS * sizeof *now);
    if (!out || !now) return NULL;
    tern_program_begin(out, p->n_inputs, TERN_P_STEPS);
    for (int k = 0; k < p->n_constants; k++) tern_program_number(out, p->constants[k]);
    for (int k = 0; k < p->n_steps; k++) {
        const tern_map_step *step = &p->steps[k];
        int16_t source[4];
        for (int i = 0; i < 4; i++)
            source[i] = step->source[i] < TERN_P_STEP ? step->source[i]
                                                      : now[step->source[i] - TERN_P_STEP];
        if (step->family == TERN_KERNEL_BINARY && source[2] >= 0) {
            source[1] = tern_program_binary(out, TERN_BINARY_MUL, source[1], source[2]);
            source[2] = TERN_P_NONE;
        }
        now[k] = tern_program_step(out, step->family, step->fn, source);
    }
    for (int k = 0; k < p->n_outputs; k++)
        out->outputs[k] =
            p->outputs[k] < TERN_P_STEP ? p->outputs[k] : now[p->outputs[k] - TERN_P_STEP];
    out->n_outputs = p->n_outputs;
    if (!out->full) return out;
    tern_fail(ctx, TERN_ERR_UNSUPPORTED, "a program over integers has more than %d steps",
              TERN_P_STEPS);
    return NULL;
}

tern_value tern_program_finish(tern_ctx *ctx, const tern_program *p, tern_dtype compute) {
    numbering n;
    if (compute == TERN_INT64) p = without_factors(ctx, p);
    if (!p) return tern_none();
    number_values(p, &n);
    tern_map_attrs head = {(int32_t)compute, p->n_inputs, p->n_outputs,
                           n.n_constants,    n.n_steps,   0};
    size_t size = tern_program_size(&head);
    tern_map_attrs *attrs = tern_scope_alloc(ctx, size + 1); /* a string ends in a zero */
    if (!attrs) return tern_none();
    *attrs = head;
    write_parts(p, &n, compute, attrs);
    tern_value bytes = {TERN_VALUE_STRING, (uint32_t)size, {0}};
    bytes.as.s = (const char *)attrs;
    return bytes;
}

/* ---- reading it ------------------------------------------------------------------------------ */

static bool in_range(int value, int low, int high) {
    return value >= low && value <= high;
}

static bool step_is_sound(const tern_map_attrs *attrs, int k) {
    const tern_map_step *step = &tern_map_steps(attrs)[k];
    static const int16_t members[][2] = {[TERN_KERNEL_COPY] = {0, TERN_BT_BFLOAT16},
                                         [TERN_KERNEL_UNARY] = {1, TERN_UNARY_TRIGAMMA},
                                         [TERN_KERNEL_BINARY] = {1, TERN_BINARY_HEAVISIDE},
                                         [TERN_KERNEL_TERNARY] = {1, TERN_TERNARY_LERP}};
    if (!in_range(step->family, TERN_KERNEL_COPY, TERN_KERNEL_TERNARY)) return false;
    if (!in_range(step->fn, members[step->family][0], members[step->family][1])) return false;
    bool integral = tern_program_is_integral(step->family, step->fn);
    if (attrs->compute == TERN_BT_INT64 && !integral) return false;
    bool bits = (step->family == TERN_KERNEL_UNARY && step->fn == TERN_UNARY_BITWISE_NOT) ||
                (step->family == TERN_KERNEL_BINARY &&
                 in_range(step->fn, TERN_BINARY_BITWISE_AND, TERN_BINARY_LCM));
    if (bits) return false;
    int arity = tern_program_arity(step->family), own = attrs->n_inputs + attrs->n_constants;
    for (int i = 0; i < 4; i++) {
        bool factor = i == arity && tern_program_takes_factor(step->family, step->fn) &&
                      attrs->compute != TERN_BT_INT64;
        int low = i < arity ? 0 : -1;
        int high = i < arity ? own + k - 1 : factor ? own - 1 : -1;
        if (!in_range(step->source[i], low, high)) return false;
    }
    return true;
}

const tern_map_attrs *tern_program_of(tern_value bytes) {
    const tern_made_program *made = tern_made_of(bytes);
    if (made) return made->attrs;
    const tern_map_attrs *attrs = (const tern_map_attrs *)(const void *)bytes.as.s;
    if (bytes.length < sizeof *attrs || (uintptr_t)attrs % sizeof(double)) return NULL;
    bool sound = in_range(attrs->n_inputs, 1, TERN_P_INPUTS) &&
                 in_range(attrs->n_outputs, 1, TERN_P_OUTPUTS) &&
                 in_range(attrs->n_constants, 0, TERN_P_CONSTANTS) &&
                 in_range(attrs->n_steps, 0, TERN_P_STEPS) &&
                 tern_program_size(attrs) == bytes.length &&
                 (attrs->compute == TERN_BT_FLOAT32 || attrs->compute == TERN_BT_FLOAT64 ||
                  attrs->compute == TERN_BT_INT64);
    for (int k = 0; sound && k < attrs->n_steps; k++) sound = step_is_sound(attrs, k);
    int values = sound ? attrs->n_inputs + attrs->n_constants + attrs->n_steps : 0;
    for (int k = 0; sound && k < attrs->n_outputs; k++)
        sound = in_range(tern_map_outputs(attrs)[k], 0, values - 1);
    return sound ? attrs : NULL;
}

bool tern_program_append(tern_program *p, const tern_map_attrs *attrs, int16_t *out_values) {
    int16_t *next = out_values;
    for (int k = 0; k < attrs->n_inputs; k++) *next++ = (int16_t)k;
    for (int k = 0; k < attrs->n_constants; k++)
        *next++ = tern_program_number(p, tern_map_constants(attrs)[k].f);
    for (int k = 0; k < attrs->n_steps; k++) {
        const tern_map_step *step = &tern_map_steps(attrs)[k];
        int16_t source[4];
        for (int i = 0; i < 4; i++)
            source[i] = step->source[i] < 0 ? TERN_P_NONE : out_values[step->source[i]];
        *next++ = tern_program_step(p, step->family, step->fn, source);
    }
    return !p->full;
}
