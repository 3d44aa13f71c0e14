/* update.c: what the update rules share. */
#include "internal.h"

tern_tensor *tern_in_place(tern_tensor *tensor, const char *name) {
    tern_value args[] = {tern_tensor_value(tensor)};
    tern_call(tern_context_of(tensor), name, args, 1, tern_none());
    return tensor;
}

tern_tensor *tern_div_scalar_(tern_tensor *tensor, double divisor) {
    tern_value args[] = {tern_tensor_value(tensor), tern_float(divisor)};
    tern_call(tern_context_of(tensor), "div_", args, 2, tern_none());
    return tensor;
}

tern_tensor *tern_maximum_(tern_tensor *tensor, tern_tensor *other) {
    tern_value args[] = {tern_tensor_value(tensor), tern_tensor_value(other)};
    tern_call(tern_context_of(tensor), "maximum_", args, 2, tern_none());
    return tensor;
}

tern_tensor *tern_update_gradient(tern_update_call *u, bool maximize, double weight_decay) {
    if (!maximize && weight_decay == 0) return u->grad;
    tern_tensor *grad = tern_copy_in_place(u->scratch[0], u->grad);
    if (maximize) tern_in_place(grad, "neg_");
    if (weight_decay != 0) tern_add_alpha_in_place(grad, u->param, weight_decay);
    return grad;
}
