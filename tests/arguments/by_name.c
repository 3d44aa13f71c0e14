/*
 * by_name.c: the call of an operation by name with the arguments that its C function got, and the comparison of
 * both results.
 */
#include "arguments.h"
#include <stdlib.h>
#include <string.h>

bool arguments_begin(struct call *c, const char *name) {
    for (int i = 0; i < c->function->n_places; i++)
        if (c->spoil[i] != LEGAL) return false;
    if (c->latched || *c->error) return false;
    c->by_name = name;
    c->named = tern_dict_new(c->own, false);
    return true;
}

/* ---- arguments ------------------------------------------------------------------------------- */

/* What a C function takes for "not given" is not given here either. */
static void name(struct call *c, const char *key, tern_value value) {
    if (value.kind != TERN_VALUE_NONE) tern_dict_set(c->named, key, value);
}

void arguments_name_tern_tensor(struct call *c, const char *key, tern_tensor *tensor) {
    name(c, key, tern_tensor_value(tensor));
}

void arguments_name_tern_tensor_const(struct call *c, const char *key, tern_tensor *const *tensors,
                                      int count) {
    tern_value list = tern_list_new(c->own);
    for (int i = 0; i < count; i++) tern_list_append(list, tern_tensor_value(tensors[i]));
    name(c, key, list);
}

void arguments_name_tern_value(struct call *c, const char *key, tern_value value) {
    name(c, key, value);
}

void arguments_name_tern_shape(struct call *c, const char *key, tern_shape shape) {
    tern_value list = tern_list_new(c->own);
    for (int d = 0; d < shape.rank; d++) tern_list_append(list, tern_int(shape.dim[d]));
    name(c, key, list);
}

void arguments_name_tern_dtype(struct call *c, const char *key, tern_dtype dtype) {
    name(c, key, dtype == TERN_DTYPE_DEFAULT ? tern_none() : tern_dtype_value(dtype));
}

void arguments_name_tern_reduction(struct call *c, const char *key, tern_reduction reduction) {
    static const char *const names[] = {"none", "mean", "sum"};
    name(c, key, tern_text(names[reduction]));
}

/* The first call has drawn from it. */
void arguments_name_tern_generator(struct call *c, const char *key, tern_generator *generator) {
    if (generator) tern_generator_seed(generator, (int64_t)tern_generator_initial_seed(generator));
    name(c, key, tern_generator_value(generator));
}

void arguments_name_int(struct call *c, const char *key, int64_t number) {
    name(c, key, tern_int(number));
}

void arguments_name_int64_t(struct call *c, const char *key, int64_t number) {
    name(c, key, tern_int(number));
}

void arguments_name_double(struct call *c, const char *key, double number) {
    name(c, key, tern_float(number));
}

void arguments_name_double_list(struct call *c, const char *key, const double *numbers, int count) {
    tern_value list = tern_list_new(c->own);
    for (int i = 0; i < count; i++) tern_list_append(list, tern_float(numbers[i]));
    name(c, key, list);
}

void arguments_name_bool(struct call *c, const char *key, bool flag) {
    name(c, key, tern_bool(flag));
}

void arguments_name_char(struct call *c, const char *key, const char *text) {
    name(c, key, text ? tern_text(text) : tern_none());
}

/* ---- results --------------------------------------------------------------------------------- */

static bool same_tensor(tern_tensor *a, tern_tensor *b) {
    tern_shape x = tern_shape_of(a), y = tern_shape_of(b);
    if (tern_is_nil(a) || tern_is_nil(b) || tern_dtype_of(a) != tern_dtype_of(b)) return false;
    if (x.rank != y.rank || memcmp(x.dim, y.dim, (size_t)x.rank * sizeof *x.dim) != 0) return false;
    size_t bytes = (size_t)tern_numel(a) * tern_dtype_size(tern_dtype_of(a));
    unsigned char *of_a = malloc(bytes + 1), *of_b = malloc(bytes + 1);
    bool same = of_a && of_b && tern_to_host(a, of_a, bytes) == TERN_OK &&
                tern_to_host(b, of_b, bytes) == TERN_OK && memcmp(of_a, of_b, bytes) == 0;
    free(of_a);
    free(of_b);
    return same;
}

static bool same_value(tern_value a, tern_value b) {
    if (a.kind == TERN_VALUE_TENSOR && b.kind == TERN_VALUE_TENSOR)
        return same_tensor(a.as.tensor, b.as.tensor);
    if (a.kind != TERN_VALUE_TUPLE && a.kind != TERN_VALUE_LIST) return tern_value_equal(a, b);
    bool same = a.kind == b.kind && tern_value_count(a) == tern_value_count(b);
    for (size_t i = 0; same && i < tern_value_count(a); i++)
        same = same_value(tern_value_at(a, i), tern_value_at(b, i));
    return same;
}

static tern_value call_by_name(struct call *c) {
    tern_manual_seed(c->own, 7);
    return tern_call(c->own, c->by_name, NULL, 0, c->named);
}

void arguments_compare_tern_value(struct call *c, tern_value result, tern_tensor *const *further,
                                  size_t n_further) {
    (void)further, (void)n_further;
    c->differs = !same_value(call_by_name(c), result);
}

/* Of several results C may leave the last ones out. */
void arguments_compare_tern_tensor(struct call *c, tern_tensor *result, tern_tensor *const *further,
                                   size_t n_further) {
    result = tern_clone(result); /* what is filled in place is filled again */
    tern_value other = call_by_name(c);
    if (n_further == 0) {
        c->differs = !same_value(other, tern_tensor_value(result));
        return;
    }
    c->differs = !same_value(tern_value_at(other, 0), tern_tensor_value(result));
    for (size_t i = 0; i < n_further && !c->differs; i++)
        c->differs = !same_value(tern_value_at(other, i + 1), tern_tensor_value(further[i]));
}

void arguments_compare_bool(struct call *c, bool result, tern_tensor *const *further,
                            size_t n_further) {
    (void)further, (void)n_further;
    c->differs = !same_value(call_by_name(c), tern_bool(result));
}
