/* update.c: what the update rules share. */
#include "internal.h"

tern_tensor *tern_update_gradient(tern_update_call *u, bool maximize, double weight_decay) {
    if (!maximize && weight_decay == 0) return u->grad;
    tern_tensor *grad = tern_copy_in_place(u->scratch[0], u->grad);
    if (maximize) tern_neg_in_place(grad);
    if (weight_decay != 0) tern_add_alpha_in_place(grad, u->param, weight_decay);
    return grad;
}

tern_tensor *tern_norm2(tern_tensor *tensor) {
    return tern_sqrt(tern_sum(tern_mul(tensor, tensor)));
}
