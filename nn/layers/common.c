/* common.c: what the inits of several families share. */
#include <math.h>
#include <string.h>

#include "layers.h"

tern_dtype tern_layer_dtype(tern_dtype dtype) {
    return dtype == TERN_DTYPE_DEFAULT ? TERN_FLOAT32 : dtype;
}

tern_tensor *tern_layer_filled(tern_module *self, const char *name, tern_shape shape,
                               tern_dtype dtype, double value) {
    tern_tensor *tensor =
        tern_full(tern_module_context(self), shape, value, tern_layer_dtype(dtype));
    return tern_module_parameter(self, name, tensor);
}

tern_tensor *tern_layer_uniform(tern_module *self, const char *name, tern_shape shape,
                                tern_dtype dtype, double bound) {
    tern_tensor *tensor = tern_empty(tern_module_context(self), shape, tern_layer_dtype(dtype));
    tern_init_uniform(tensor, -bound, bound, NULL);
    return tern_module_parameter(self, name, tensor);
}

tern_tensor *tern_layer_kaiming(tern_module *self, const char *name, tern_shape shape,
                                tern_dtype dtype) {
    tern_tensor *tensor = tern_empty(tern_module_context(self), shape, tern_layer_dtype(dtype));
    tern_kaiming_options kaiming = TERN_KAIMING_OPTIONS;
    kaiming.a = sqrt(5.0);
    tern_init_kaiming_uniform(tensor, &kaiming);
    return tern_module_parameter(self, name, tensor);
}

tern_tensor *tern_layer_none(tern_module *self, const char *name, tern_tensor **member) {
    *member = tern_module_parameter(self, name, NULL);
    tern_module_member(self, name, member);
    return *member;
}

tern_tensor *tern_layer_keep(tern_module *self, const char *name, tern_tensor *tensor) {
    tern_ctx *ctx = tern_module_context(self);
    if (tensor && !tern_argument_tensor(ctx, tern_module_name(self), tensor)) return tern_nil(ctx);
    tern_tensor *own = tensor ? tern_clone(tern_detach(tensor)) : NULL;
    return tern_module_buffer(self, name, own, true);
}

int tern_layer_spatial(const tern_module *self) {
    const char *name = tern_module_name(self);
    size_t length = strlen(name);
    return length > 2 && name[length - 1] == 'd' ? name[length - 2] - '0' : 0;
}

bool tern_layer_expand(tern_module *self, const char *what, tern_shape *sizes, int count,
                       int64_t fallback) {
    if (sizes->rank == 0) *sizes = (tern_shape){1, {fallback}};
    if (sizes->rank == 1 && count <= TERN_MAX_RANK) {
        for (int i = 1; i < count; i++) sizes->dim[i] = sizes->dim[0];
        sizes->rank = count;
    }
    if (sizes->rank == count) return true;
    tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
              "%s: %s must be one number or %d numbers, not %d", tern_module_name(self), what,
              count, sizes->rank);
    return false;
}

tern_value tern_layer_tuple(tern_module *self, const int64_t *items, size_t count) {
    tern_value tuple = tern_tuple_new(tern_module_context(self));
    for (size_t i = 0; i < count; i++) tern_list_append(tuple, tern_int(items[i]));
    return tuple;
}

tern_value tern_layer_sizes(tern_module *self, tern_value value) {
    size_t count = tern_value_count(value);
    if (value.kind != TERN_VALUE_LIST && value.kind != TERN_VALUE_INTS) return value;
    tern_value tuple = tern_tuple_new(tern_module_context(self));
    for (size_t i = 0; i < count; i++) tern_list_append(tuple, tern_value_at(value, i));
    return tuple;
}

tern_tensor *tern_layer_tensor(tern_module *self, tern_value value) {
    if (value.kind == TERN_VALUE_TENSOR) return value.as.tensor;
    return tern_nil(tern_module_context(self));
}

tern_tensor *tern_layer_call(tern_module *self, const char *words, tern_tensor *input) {
    tern_value args[] = {tern_tensor_value(input)};
    return tern_layer_tensor(self, tern_nn_operation(self, words, args, 1));
}

/* The largest size of a tensor: its product with a count of gates or directions fits too. */
#define MAX_SIZE (INT64_MAX / 16)

bool tern_layer_positive(tern_module *self, const char *what, int64_t value) {
    if (value > 0 && value <= MAX_SIZE) return true;
    if (value > MAX_SIZE) {
        tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
                  "%s: %s=%lld is larger than any tensor", tern_module_name(self), what,
                  (long long)value);
        return false;
    }
    tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT, "%s: %s must be positive, not %lld",
              tern_module_name(self), what, (long long)value);
    return false;
}

tern_tensor *tern_layer_zeros(tern_module *self, tern_tensor *like, tern_shape shape) {
    tern_value args[] = {tern_tensor_value(like), tern_ints(shape.dim, (size_t)shape.rank)};
    return tern_layer_tensor(self, tern_module_operation(self, "new_zeros", args, 2, tern_none()));
}
