/*
 * merge_program.c: launches as programs, and two programs as one.
 *
 * While a program is put together, its inputs are numbered from 0, its constants from CONSTANT and its steps from
 * STEP, so that more can come behind each. Behind a product the first input is what that gives.
 */
#include "merge_program.h"

#include <stddef.h>
#include <string.h>

enum { INPUTS = 12, CONSTANTS = 32, STEPS = 64, CONSTANT = 100, STEP = 200 };

/* A program with more steps than SHORT_STEPS stays the program that it is, since a device may have a loop of its own
 * for it; it can be an epilogue. Merging makes none with more than LONG_STEPS. */
enum { SHORT_STEPS = 2, LONG_STEPS = 8 };

/* The attributes of a product with an epilogue begin with those of the product, and how many operands it has. */
enum { TAIL = 2 * sizeof(int32_t) };
_Static_assert(offsetof(tern_matmul_map_attrs, program) == sizeof(tern_matmul_attrs) + TAIL &&
                   offsetof(tern_conv_map_attrs, program) == sizeof(tern_conv_attrs) + TAIL,
               "the program follows the product");

typedef struct program {
    const tern_command *product; /* NULL: there is none */
    int n_operands;              /* of the product, the first ones of its command */
    int32_t compute;
    int n_inputs, n_constants, n_steps;
    int16_t output;
    tern_operand inputs[INPUTS];
    int places[INPUTS];
    tern_map_constant constants[CONSTANTS];
    tern_map_step steps[STEPS];
} program;

/* ---- parts ----------------------------------------------------------------------------------- */

static bool is_same(const tern_operand *a, const tern_operand *b) {
    return a->buffer == b->buffer && a->at.byte_offset == b->at.byte_offset &&
           a->dtype == b->dtype && tern_operand_has_shape(a, b) &&
           tern_dims_equal(a->rank, a->strides, b->strides);
}

/* -1 where there is no room. */
static int16_t add_constant(program *p, double number) {
    if (p->n_constants == CONSTANTS) return -1;
    p->constants[p->n_constants].f = number;
    return (int16_t)(CONSTANT + p->n_constants++);
}

/* The value of an operand, one that is there already if it is the same. Beside a product numbers are constants. */
static int16_t add_input(program *p, const tern_operand *operand, int place) {
    if (p->product && !operand->buffer)
        return operand->dtype == p->compute ? add_constant(p, operand->at.f) : (int16_t)-1;
    for (int k = p->product ? 1 : 0; k < p->n_inputs && operand->buffer; k++)
        if (p->places[k] == place && is_same(&p->inputs[k], operand)) return (int16_t)k;
    if (p->n_inputs == INPUTS) return -1;
    p->inputs[p->n_inputs] = *operand;
    p->places[p->n_inputs] = place;
    return (int16_t)p->n_inputs++;
}

static int16_t add_step(program *p, const tern_map_step *step) {
    if (p->n_steps == STEPS) return -1;
    p->steps[p->n_steps] = *step;
    return (int16_t)(STEP + p->n_steps++);
}

/* ---- reading a launch ------------------------------------------------------------------------ */

static bool is_map(const tern_command *c) {
    return c->kernel == TERN_KERNEL_MAP && !(((const tern_map_attrs *)c->attrs)->flags);
}

static bool takes_factor(int32_t kernel, int32_t fn) {
    if (kernel == TERN_KERNEL_BINARY) return fn == TERN_BINARY_ADD || fn == TERN_BINARY_SUB;
    return kernel == TERN_KERNEL_TERNARY &&
           (fn == TERN_TERNARY_ADDCMUL || fn == TERN_TERNARY_ADDCDIV);
}

/* A factor is an input or a constant. */
static bool has_computed_factor(const tern_map_step *step) {
    int at = step->family == TERN_KERNEL_BINARY ? 2 : 3;
    return takes_factor(step->family, step->fn) && step->source[at] >= STEP;
}

/* The steps of a finished program over `inputs`, the values of its inputs. The output's value, -1 where it does not
 * fit. */
static int16_t append_map(program *p, const tern_map_attrs *attrs, const int16_t *inputs) {
    int16_t values[INPUTS + CONSTANTS + STEPS];
    int n = 0;
    if (attrs->n_inputs > INPUTS || attrs->n_constants > CONSTANTS || attrs->n_steps > STEPS)
        return -1;
    for (int k = 0; k < attrs->n_inputs; k++) values[n++] = inputs[k];
    for (int k = 0; k < attrs->n_constants; k++)
        values[n++] = add_constant(p, tern_map_constants(attrs)[k].f);
    for (int k = 0; k < attrs->n_steps; k++) {
        tern_map_step step = tern_map_steps(attrs)[k];
        for (int i = 0; i < 4; i++)
            if (step.source[i] >= 0) step.source[i] = values[step.source[i]];
        if (has_computed_factor(&step)) return -1;
        values[n++] = add_step(p, &step);
    }
    return p->n_constants == CONSTANTS || p->n_steps == STEPS ? -1
                                                              : values[tern_map_outputs(attrs)[0]];
}

/* What a launch of one step multiplies an operand with. */
static double factor_of(const tern_command *c) {
    if (!takes_factor(c->kernel, c->fn)) return 1;
    return c->kernel == TERN_KERNEL_BINARY ? ((const tern_binary_attrs *)c->attrs)->alpha
                                           : ((const tern_ternary_attrs *)c->attrs)->value;
}

/* A launch of one step. Its factor is a constant, which a program would round. */
static int16_t append_step(program *p, const tern_command *c, const int16_t *inputs) {
    tern_map_step step = {(int16_t)c->kernel, (int16_t)c->fn, {-1, -1, -1, -1}};
    double factor = factor_of(c);
    for (int k = 0; k < c->n_inputs; k++) step.source[k] = inputs[k];
    if (p->compute == TERN_BT_FLOAT32 && factor != (double)(float)factor) return -1;
    if (factor != 1) {
        step.source[c->n_inputs] = add_constant(p, factor);
        if (step.source[c->n_inputs] < 0) return -1;
    }
    return add_step(p, &step);
}

/* The dtype that an element-wise launch computes in where a program of it would: of float32 or float64 all
 * operands, some of them bools. -1 for others. */
static int32_t compute_of(const tern_command *c) {
    int32_t compute = -1;
    bool is_step = c->kernel == TERN_KERNEL_UNARY || c->kernel == TERN_KERNEL_BINARY ||
                   c->kernel == TERN_KERNEL_TERNARY;
    if (!is_step && !is_map(c)) return -1;
    for (int k = 0; k < tern_command_operands(c); k++) {
        int32_t dtype = c->operands[k].dtype;
        if (dtype == TERN_BT_BOOL) continue;
        if (dtype != TERN_BT_FLOAT32 && dtype != TERN_BT_FLOAT64) return -1;
        if (compute >= 0 && dtype != compute) return -1;
        compute = dtype;
    }
    return compute;
}

static int steps_of(const tern_command *c) {
    return is_map(c) ? ((const tern_map_attrs *)c->attrs)->n_steps : 1;
}

/* An element-wise launch at the end of the program; where it reads `place`, that is what the program gave so far.
 * False without room. */
static bool append(program *p, const tern_command *c, int place) {
    int16_t inputs[INPUTS];
    if (c->n_inputs > INPUTS) return false;
    for (int k = 0; k < c->n_inputs; k++) {
        bool is_given = place >= 0 && c->places[k] == place;
        inputs[k] = is_given ? p->output : add_input(p, &c->operands[k], c->places[k]);
        if (inputs[k] < 0) return false;
    }
    p->output = is_map(c) ? append_map(p, c->attrs, inputs) : append_step(p, c, inputs);
    return p->output >= 0;
}

/* ---- products -------------------------------------------------------------------------------- */

static bool is_product(int32_t kernel) {
    return kernel == TERN_KERNEL_MATMUL || kernel == TERN_KERNEL_CONV ||
           kernel == TERN_KERNEL_MATMUL_MAP || kernel == TERN_KERNEL_CONV_MAP;
}

static size_t product_size(int32_t kernel) {
    bool is_matmul = kernel == TERN_KERNEL_MATMUL || kernel == TERN_KERNEL_MATMUL_MAP;
    return is_matmul ? sizeof(tern_matmul_attrs) : sizeof(tern_conv_attrs);
}

/* A product, and the epilogue that it has. */
static bool begin_product(program *p, const tern_command *c) {
    const char *attrs = c->attrs;
    int16_t inputs[INPUTS] = {0};
    int32_t dtype = c->operands[c->n_inputs].dtype;
    if (dtype != TERN_BT_FLOAT32 && dtype != TERN_BT_FLOAT64) return false;
    p->product = c;
    p->compute = dtype;
    p->n_inputs = 1; /* the product itself */
    p->places[0] = -1;
    p->n_operands = c->n_inputs;
    if (c->kernel == TERN_KERNEL_MATMUL || c->kernel == TERN_KERNEL_CONV) return true;
    const char *tail = attrs + product_size(c->kernel);
    int32_t n_operands;
    memcpy(&n_operands, tail, sizeof n_operands);
    p->n_operands = n_operands;
    if (c->n_inputs - n_operands + 1 > INPUTS) return false;
    for (int k = n_operands; k < c->n_inputs; k++) {
        inputs[k - n_operands + 1] = add_input(p, &c->operands[k], c->places[k]);
        if (inputs[k - n_operands + 1] < 0) return false;
    }
    p->output = append_map(p, (const tern_map_attrs *)(const void *)(tail + TAIL), inputs);
    return p->output >= 0;
}

static bool begin(program *p, const tern_command *c) {
    memset(p, 0, sizeof *p);
    if (is_product(c->kernel)) return begin_product(p, c);
    p->compute = compute_of(c);
    return p->compute >= 0 && append(p, c, -1);
}

/* ---- shapes ---------------------------------------------------------------------------------- */

/* Whether each operand lies without gaps, so that another shape gives the elements in the same order. */
static bool is_dense(const tern_command *c) {
    for (int k = 0; k < tern_command_operands(c); k++)
        if (c->operands[k].buffer && !(c->operands[k].flags & TERN_OPERAND_CONTIGUOUS))
            return false;
    return true;
}

/* The operands of `second` in the shape of `first`'s result; false where they have another one that matters. */
static bool take_shape(const tern_command *first, tern_command *second) {
    const tern_operand *like = &first->operands[first->n_inputs];
    if (tern_operand_has_shape(&second->operands[second->n_inputs], like)) return true;
    if (!is_dense(second)) return false;
    for (int k = 0; k < tern_command_operands(second); k++) {
        tern_operand *o = &second->operands[k];
        o->rank = like->rank;
        o->shape = like->shape;
        if (o->buffer) o->strides = like->strides;
    }
    return true;
}

/* Whether `second` reads the result of `first` as it was written, in each of its operands over that place. */
static bool reads_whole(const tern_recording *r, const tern_command *first,
                        const tern_command *second) {
    int place = first->places[first->n_inputs];
    for (int k = 0; k < second->n_inputs; k++) {
        if (second->places[k] != place) continue;
        if (second->operands[k].dtype != first->operands[first->n_inputs].dtype ||
            !tern_fills_place(r, second, k))
            return false;
    }
    return true;
}

/* ---- writing a launch ------------------------------------------------------------------------ */

static int16_t finished(const program *p, int16_t value) {
    if (value < CONSTANT) return value;
    if (value < STEP) return (int16_t)(value - CONSTANT + p->n_inputs);
    return (int16_t)(value - STEP + p->n_inputs + p->n_constants);
}

/* The attributes; false after latching. */
static bool write_attrs(tern_recording *r, const program *p, tern_command *out) {
    size_t before = p->product ? product_size(p->product->kernel) : 0;
    size_t own = before ? before + TAIL : 0;
    const tern_map_attrs head = {p->compute, p->n_inputs, 1, p->n_constants, p->n_steps, 0};
    size_t size = own + sizeof head + (size_t)p->n_constants * sizeof(tern_map_constant) +
                  (size_t)p->n_steps * sizeof(tern_map_step) + sizeof(int16_t);
    char *attrs = tern_recording_alloc(r, size, 1);
    if (!attrs) return false;
    const int32_t tail[2] = {p->n_operands, 0};
    if (before) memcpy(attrs, p->product->attrs, before);
    if (before) memcpy(attrs + before, tail, TAIL);
    tern_map_attrs *map = (tern_map_attrs *)(void *)(attrs + own);
    *map = head;
    memcpy((void *)tern_map_constants(map), p->constants,
           (size_t)p->n_constants * sizeof *p->constants);
    tern_map_step *steps = (tern_map_step *)tern_map_steps(map);
    for (int k = 0; k < p->n_steps; k++) {
        steps[k] = p->steps[k];
        for (int i = 0; i < 4; i++)
            if (steps[k].source[i] >= 0) steps[k].source[i] = finished(p, steps[k].source[i]);
    }
    *(int16_t *)tern_map_outputs(map) = finished(p, p->output);
    out->attrs = attrs;
    out->attrs_size = (uint32_t)size;
    out->fn = p->n_steps;
    return true;
}

static void put(tern_command *c, const tern_operand *operand, int place) {
    c->operands[c->n_inputs] = *operand;
    c->places[c->n_inputs++] = place;
}

/* False after latching. */
static bool write_operands(tern_recording *r, const program *p, const tern_command *second,
                           tern_command *out) {
    size_t n = (size_t)p->n_operands + (size_t)p->n_inputs + 1;
    out->operands = tern_recording_alloc(r, n, sizeof *out->operands);
    out->places = tern_recording_alloc(r, n, sizeof *out->places);
    if (!out->operands || !out->places) return false;
    for (int k = 0; p->product && k < p->n_operands; k++)
        put(out, &p->product->operands[k], p->product->places[k]);
    for (int k = p->product ? 1 : 0; k < p->n_inputs; k++) put(out, &p->inputs[k], p->places[k]);
    out->operands[out->n_inputs] = second->operands[second->n_inputs];
    out->places[out->n_inputs] = second->places[second->n_inputs];
    return true;
}

static int32_t kernel_of(const program *p) {
    if (!p->product) return TERN_KERNEL_MAP;
    bool is_matmul = product_size(p->product->kernel) == sizeof(tern_matmul_attrs);
    return is_matmul ? TERN_KERNEL_MATMUL_MAP : TERN_KERNEL_CONV_MAP;
}

/* A copy whose operands may be changed. False after latching. */
static bool copied(tern_recording *r, const tern_command *c, tern_command *out) {
    size_t n = (size_t)tern_command_operands(c);
    *out = *c;
    out->operands = tern_recording_alloc(r, n, sizeof *out->operands);
    if (out->operands) memcpy(out->operands, c->operands, n * sizeof *out->operands);
    return out->operands != NULL;
}

/* Whether the program of `second` is the same one behind a product: what that gives is its first input. */
static bool stays(const program *p, const tern_command *second, int place) {
    const tern_map_attrs *own = second->attrs;
    return p->product && p->n_steps == own->n_steps && p->n_inputs == second->n_inputs &&
           p->n_constants == own->n_constants && second->places[0] == place;
}

/* Whether the merged program is worth it; `before` are the steps of the first one. */
static bool is_welcome(const program *p, const tern_command *first, int before,
                       const tern_command *second, int place) {
    if (steps_of(second) > SHORT_STEPS && !second->is_merged) return stays(p, second, place);
    return p->n_steps <= LONG_STEPS && (before <= SHORT_STEPS || first->is_merged);
}

bool tern_merged_command(tern_recording *r, const tern_command *first, const tern_command *second,
                         tern_command *out) {
    program p;
    tern_command reader;
    int place = first->places[first->n_inputs];
    if (compute_of(second) < 0 || !begin(&p, first) || p.compute != compute_of(second) ||
        !reads_whole(r, first, second) || !copied(r, second, &reader) ||
        !take_shape(first, &reader))
        return false;
    int before = p.n_steps;
    if (!append(&p, &reader, place) || !is_welcome(&p, first, before, second, place)) return false;
    *out = (tern_command){.kernel = kernel_of(&p),
                          .n_outputs = 1,
                          .n_tuples = 1,
                          .is_merged = steps_of(second) <= SHORT_STEPS || second->is_merged,
                          .origin = p.product ? first->origin : second->origin};
    return write_attrs(r, &p, out) && write_operands(r, &p, &reader, out);
}
