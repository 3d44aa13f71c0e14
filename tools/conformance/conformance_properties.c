/*
 * Property checks, which need no vectors. Every operation of the table is called with arguments made from
 * its description, and must agree with itself:
 *
 *     properties/views      strided inputs with an offset give what contiguous ones give
 *     properties/in_place   `add_` leaves what `add` returns, in the same storage
 *     properties/gradients  the gradient equals central differences in float64
 */
#include "conformance.h"
#include "results.h"

#include "tern/grad.h"
#include "tern/memory.h"
#include "tern/ops.h"
#include "tern/schema.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_TENSORS = 8, NAME_SIZE = 96 };

/* A row of the table with arguments that fit it. */
typedef struct sample {
    tern_ctx *ctx;
    tern_op_info info;
    tern_schema schema;
    tern_shape shape; /* of every tensor */
    double offset;    /* of the elements, which lie in (offset, offset + 1) */
    tern_dtype dtype;
    bool strided;  /* tensors are views with an offset and gaps */
    bool single;   /* the last call returned one tensor, not a tuple */
    int n_tensors; /* those of a floating dtype */
    tern_tensor *tensors[MOST_TENSORS];
    tern_value named;
} sample;

/* ---- arguments ------------------------------------------------------------------------------- */

/* Distinct numbers away from 0, 1/2 and 1, where functions have kinks; the golden ratio's multiples
 * spread evenly. */
static double element(int64_t index, double offset) {
    double spread = fmod((double)(index + 1) * 0.6180339887498949, 1);
    return offset + 0.13 + 0.31 * spread + (index % 2 ? 0.42 : 0);
}

/* A view with twice the strides and an offset of one element over NaNs, values row-major. */
static tern_tensor *spread_out(tern_tensor *plain) {
    tern_ctx *ctx = tern_context_of(plain);
    tern_shape shape = tern_shape_of(plain), strides = shape,
               flat = {1, {2 * tern_numel(plain) + 1}};
    int64_t stride = 2;
    tern_scope no_grad = tern_scope_begin(ctx, TERN_NO_GRAD);
    /* The first dimension is the innermost in memory: a transposed layout. */
    for (int32_t d = 0; d < shape.rank; d++) {
        strides.dim[d] = stride;
        stride *= shape.dim[d];
    }
    bool floating = tern_dtype_is_floating(tern_dtype_of(plain));
    tern_tensor *base = tern_full(ctx, flat, floating ? (double)NAN : 0, tern_dtype_of(plain));
    tern_tensor *view = tern_view_of_storage(base, shape, strides, 1);
    tern_copy_in_place(view, plain);
    tern_keep(base);
    view = tern_keep(view);
    tern_scope_end(no_grad);
    return view;
}

/* Positions that are valid and never repeat along the first dimension, so that the order of writes
 * does not matter: the row; for `put`, whose positions count all elements, the element's own. */
static int64_t position(const sample *s, int64_t index, int64_t count) {
    if (strncmp(s->info.schema, "put(", 4) == 0 || s->shape.rank == 0) return index;
    return index / (count / s->shape.dim[0]);
}

static double draw(const sample *s, tern_dtype dtype, int64_t index, int64_t count) {
    if (dtype == s->dtype) return element(index + 17 * s->n_tensors, s->offset);
    return (double)(dtype == TERN_INT64 ? position(s, index, count) : index % 2);
}

static tern_tensor *make_tensor(sample *s, const char *name) {
    int64_t count = 1;
    tern_dtype dtype = strcmp(name, "index") == 0       ? TERN_INT64
                       : strcmp(name, "condition") == 0 ? TERN_BOOL
                                                        : s->dtype;
    for (int32_t d = 0; d < s->shape.rank; d++) count *= s->shape.dim[d];
    double *data = tern_scope_alloc(s->ctx, (size_t)count * sizeof *data);
    if (!data) return tern_nil(s->ctx);
    for (int64_t i = 0; i < count; i++) data[i] = draw(s, dtype, i, count);
    tern_tensor *wide = tern_from_data(s->ctx, data, s->shape, TERN_FLOAT64);
    tern_tensor *tensor = tern_to_dtype(wide, dtype);
    if (s->strided) tensor = spread_out(tensor);
    if (dtype == s->dtype && s->n_tensors < MOST_TENSORS) s->tensors[s->n_tensors++] = tensor;
    return tensor;
}

static tern_value make_list(sample *s, const char *name) {
    tern_value list = tern_list_new(s->ctx);
    int64_t stride = 1, strides[TERN_MAX_RANK];
    int32_t rank = s->shape.rank;
    for (int32_t d = rank - 1; d >= 0; d--) {
        strides[d] = stride;
        stride *= s->shape.dim[d];
    }
    if (strstr(name, "split")) return tern_int(1);
    for (int32_t d = 0; d < rank; d++) {
        int64_t number = s->shape.dim[d];
        if (strcmp(name, "dims") == 0) number = rank - 1 - d;
        if (strcmp(name, "stride") == 0) number = strides[d];
        tern_list_append(list, tern_int(number));
    }
    return list;
}

static tern_value make_argument(sample *s, const tern_schema_arg *a) {
    if (a->types & TERN_TAKES_TENSOR) return tern_tensor_value(make_tensor(s, a->name));
    if (a->types & TERN_TAKES_TENSORS) {
        tern_value list = tern_list_new(s->ctx);
        for (int i = 0; i < 2; i++)
            tern_list_append(list, tern_tensor_value(make_tensor(s, a->name)));
        return list;
    }
    if (a->types & TERN_TAKES_INTS) return make_list(s, a->name);
    if (a->types & TERN_TAKES_DTYPE) return tern_dtype_value(s->dtype);
    if (a->types & TERN_TAKES_STRING) return tern_text(tern_device_name(s->ctx));
    if (a->types & TERN_TAKES_FLOAT) return tern_float(1.25);
    if (a->types & TERN_TAKES_BOOL) return tern_bool(false);
    static const char *const ones[] = {"dim1", "length", "sections"}; /* 0 of these is refused */
    for (size_t i = 0; i < sizeof ones / sizeof ones[0]; i++)
        if (strcmp(a->name, ones[i]) == 0) return tern_int(1);
    return tern_int(0);
}

static void make_arguments(sample *s) {
    s->n_tensors = 0;
    s->named = tern_dict_new(s->ctx, false);
    for (int i = 0; i < s->schema.n_args; i++) {
        const tern_schema_arg *a = &s->schema.args[i];
        if (!a->has_default) tern_dict_set(s->named, a->name, make_argument(s, a));
    }
}

/* The first tensor among the results; NULL where there is none. */
static tern_tensor *call(sample *s, const char *name) {
    static results got;
    tern_value value = tern_call(s->ctx, name, NULL, 0, s->named);
    s->single = value.kind == TERN_VALUE_TENSOR;
    results_flatten(value, &got);
    for (size_t i = 0; i < got.count; i++)
        if (got.items[i].kind == TERN_VALUE_TENSOR) return got.items[i].as.tensor;
    return NULL;
}

static void operation_name(const sample *s, char *out_name) {
    snprintf(out_name, NAME_SIZE, "%.*s", (int)strcspn(s->info.schema, ":("), s->info.schema);
}

/* True where the call draws from the generator: its results are not to be compared. */
static bool is_random(sample *s, const char *name) {
    uint8_t before[TERN_RNG_STATE_SIZE], after[TERN_RNG_STATE_SIZE];
    tern_generator *generator = tern_default_generator(s->ctx);
    tern_generator_get_state(generator, before);
    call(s, name);
    tern_generator_get_state(generator, after);
    return memcmp(before, after, sizeof after) != 0;
}

/* Finds a shape and a range of numbers that the operation takes and answers without NaN; false where
 * there is none. Leaves the arguments made. */
static bool find_sample(sample *s) {
    static const tern_shape shapes[] = {{2, {3, 3}}, {3, {2, 3, 3}}, {1, {4}}, {0, {0}}};
    char name[NAME_SIZE];
    operation_name(s, name);
    for (size_t i = 0; i < 2 * sizeof shapes / sizeof shapes[0]; i++) {
        s->shape = shapes[i / 2];
        s->offset = (double)(i % 2);
        make_arguments(s);
        tern_tensor *out = call(s, name);
        bool good = out && tern_check(s->ctx) == TERN_OK;
        if (good && tern_dtype_is_floating(tern_dtype_of(out)))
            good = tern_item(tern_any(tern_isnan(out))) == 0;
        tern_error_clear(s->ctx);
        if (good) return true;
    }
    return false;
}

/* ---- comparing two tensors ------------------------------------------------------------------- */

static void expect_same(test_case *t, tern_tensor *got, tern_tensor *right, bool bits) {
    tern_ctx *ctx = t->run->ctx;
    size_t bytes = (size_t)tern_numel(right) * tern_dtype_size(tern_dtype_of(right));
    void *data = tern_scope_alloc(ctx, bytes);
    tolerance limit = {0};
    comparison c = {.equal = true};
    if (!data || tern_to_host(right, data, bytes) != TERN_OK) return;
    stored_tensor truth = {tern_dtype_of(right), tern_shape_of(right), data, bytes};
    tern_value value = tern_tensor_value(got);
    if (bits)
        compare_bits(ctx, value, &truth, &c);
    else
        compare_result(ctx, value, &truth, TERN_DTYPE_DEFAULT, &limit, &c);
    if (!c.equal) case_fail(t, "%s", c.what);
}

/* ---- the checks ------------------------------------------------------------------------------ */

#define NO_SAMPLE "no arguments could be made from its description"
#define IS_RANDOM "it draws random numbers"

/* Makes arguments and the name; false, with the reason, where the operation cannot be checked. */
static bool prepare(test_case *t, sample *s, char *out_name) {
    operation_name(s, out_name);
    if (!find_sample(s))
        t->skip = NO_SAMPLE;
    else if (is_random(s, out_name))
        t->skip = IS_RANDOM;
    return !t->skip;
}

static void check_views(test_case *t, void *user) {
    sample *s = user;
    char name[NAME_SIZE];
    if (!prepare(t, s, name)) return;
    tern_tensor *right = call(s, name);
    s->strided = true;
    make_arguments(s);
    tern_tensor *got = call(s, name);
    if (got && right && !tern_error(s->ctx)[0]) expect_same(t, got, right, false);
}

static bool same_kind(const tern_tensor *a, const tern_tensor *b) {
    tern_shape x = tern_shape_of(a), y = tern_shape_of(b);
    bool same = tern_dtype_of(a) == tern_dtype_of(b) && x.rank == y.rank;
    for (int32_t d = 0; same && d < x.rank; d++) same = x.dim[d] == y.dim[d];
    return same;
}

static void check_in_place(test_case *t, void *user) {
    sample *s = user;
    char name[NAME_SIZE], in_place[NAME_SIZE + 1];
    if (!prepare(t, s, name)) return;
    snprintf(in_place, sizeof in_place, "%s_", name);
    tern_tensor *right = call(s, name);
    tern_tensor *target = tern_dict_get(s->named, s->schema.args[0].name).as.tensor;
    if (!right || !s->single || !same_kind(right, target)) {
        t->skip = "its result is no tensor of its input's shape and dtype";
        return;
    }
    right = tern_clone(right); /* it may be the target itself */
    tern_tensor *got = call(s, in_place);
    if (!got || tern_error(s->ctx)[0]) return;
    if (got != target)
        case_fail(t, "%s returns another tensor than the one it was given", in_place);
    expect_same(t, target, right, true);
}

static tern_tensor *call_with(tern_ctx *ctx, tern_tensor *const *inputs, int n_inputs, void *user) {
    sample *s = user;
    char name[NAME_SIZE];
    int next = 0;
    (void)ctx;
    operation_name(s, name);
    for (int i = 0; i < s->schema.n_args && next < n_inputs; i++) {
        const tern_schema_arg *a = &s->schema.args[i];
        tern_value old = tern_dict_get(s->named, a->name);
        if (old.kind == TERN_VALUE_TENSOR && tern_dtype_of(old.as.tensor) == s->dtype)
            tern_dict_set(s->named, a->name, tern_tensor_value(inputs[next++]));
        for (size_t k = 0; (a->types & TERN_TAKES_TENSORS) && k < tern_value_count(old); k++)
            tern_list_set(old, k, tern_tensor_value(inputs[next++]));
    }
    return call(s, name);
}

static void check_gradients(test_case *t, void *user) {
    sample *s = user;
    char name[NAME_SIZE];
    if (!prepare(t, s, name)) return;
    tern_tensor *result = call(s, name);
    /* detach has none, _cross_entropy one by its first argument alone. */
    static const char *const without[] = {"detach", "_cross_entropy"};
    bool set_apart = false;
    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++)
        set_apart = set_apart || strcmp(name, without[i]) == 0;
    if (!result || tern_dtype_of(result) != s->dtype || set_apart) {
        t->skip = "its result has no derivative";
        return;
    }
    for (int i = 0; i < s->n_tensors; i++) tern_requires_grad(s->tensors[i], true);
    if (s->n_tensors > 0)
        tern_gradcheck(t->run->ctx, call_with, s, s->tensors, s->n_tensors, 1e-6, 1e-5, 1e-3);
}

/* ---- all rows -------------------------------------------------------------------------------- */

typedef bool (*row_filter)(const sample *s);

static bool takes_tensor(const sample *s) {
    return s->schema.n_args > 0 && !s->schema.args[0].has_default &&
           (s->schema.args[0].types & TERN_TAKES_TENSOR) && strcmp(s->info.kind, "create") != 0;
}

/* Not views, whose result is their strides, nor what reads an input's storage past its strides. */
static bool is_computed(const sample *s) {
    return takes_tensor(s) && strcmp(s->info.kind, "view") != 0 &&
           !strstr(s->info.schema, "storage_offset");
}

static bool has_gradient(const sample *s) {
    return s->info.differentiable;
}

static void run_rows(conformance *run, const char *subject, tern_dtype dtype, row_filter wanted,
                     void (*check)(test_case *t, void *user)) {
    sample s = {.ctx = run->ctx};
    if (!conformance_begin(run, subject)) return;
    for (size_t i = 0; tern_op_at(i, &s.info) && !*run->stop; i++) {
        char id[NAME_SIZE];
        snprintf(id, sizeof id, "%.*s", (int)strcspn(s.info.schema, "("), s.info.schema);
        s.dtype = dtype;
        s.strided = false;
        if (tern_schema_parse(s.info.schema, &s.schema) && wanted(&s))
            conformance_case(run, NULL, tern_none(), id, check, &s);
    }
}

void run_properties(conformance *run) {
    run_rows(run, "properties/views", TERN_FLOAT32, is_computed, check_views);
    run_rows(run, "properties/in_place", TERN_FLOAT32, is_computed, check_in_place);
    run_rows(run, "properties/gradients", TERN_FLOAT64, has_gradient, check_gradients);
}
