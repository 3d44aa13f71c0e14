/* save_utils.c: what torch.nn.utils and swa_utils compute in Tern, for check_utils.py. */
#include <stdio.h>

#include "tern/tern.h"

static tern_module *made(tern_ctx *ctx, const char *text) {
    tern_manual_seed(ctx, 7);
    return tern_nn(ctx, text);
}

/* The module's output for the same input, its state, and the gradients that it has. */
static void put(tern_value results, const char *name, tern_module *m, tern_tensor *x) {
    tern_ctx *ctx = tern_module_context(m);
    tern_value entry = tern_dict_new(ctx, false), grads = tern_dict_new(ctx, false), key, item;
    tern_tensor *y = tern_forward(m, x);
    tern_backward(tern_sum(tern_square(y)));
    tern_value named = tern_module_named_parameters(m);
    for (size_t i = 0; tern_dict_at(named, i, &key, &item); i++)
        if (tern_grad_of(item.as.tensor))
            tern_dict_set(grads, key.as.s, tern_tensor_value(tern_grad_of(item.as.tensor)));
    tern_dict_set(entry, "output", tern_tensor_value(tern_detach(y)));
    tern_dict_set(entry, "state", tern_module_state_dict(m));
    tern_dict_set(entry, "grads", grads);
    tern_dict_set(results, name, entry);
}

static void put_average(tern_value results, const char *name, tern_module *m,
                        tern_module *average) {
    for (int i = 0; i < 4; i++) {
        tern_tensor *weight = tern_detach(tern_module_tensor(m, "weight"));
        tern_mul_scalar_in_place(weight, 1.5);
        tern_averaged_update(average, m);
    }
    tern_dict_set(results, name, tern_module_state_dict(average));
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: save_utils FILE OLD_WEIGHT_NORM\n"), 2;
    tern_ctx *ctx = tern_open("cpu_ref");
    tern_value results = tern_dict_new(ctx, false);
    tern_manual_seed(ctx, 1);
    tern_tensor *x = tern_randn(ctx, TERN_SHAPE(5, 4), NULL);
    tern_tensor *image = tern_randn(ctx, TERN_SHAPE(1, 2, 6, 6), NULL);

    tern_module *m = made(ctx, "Linear(4, 3)");
    tern_weight_norm(m, "weight", 0);
    put(results, "weight_norm", m, x);
    m = made(ctx, "Conv2d(2, 3, 3)");
    tern_weight_norm(m, "weight", -1);
    put(results, "weight_norm_all", m, image);
    m = made(ctx, "Conv2d(2, 3, 3)");
    tern_spectral_norm(m, "weight", 1, 1e-12, -1);
    tern_forward(m, image);
    put(results, "spectral_norm", m, image);
    m = made(ctx, "ConvTranspose2d(2, 3, 3)");
    tern_spectral_norm(m, "weight", 2, 1e-12, -1);
    put(results, "spectral_norm_transposed", m, image);
    m = made(ctx, "Linear(4, 3)");
    tern_prune_l1(m, "weight", tern_float(0.4));
    tern_prune_l1(m, "weight", tern_float(0.3));
    put(results, "prune_l1", m, x);
    m = made(ctx, "Conv2d(2, 4, 3)");
    tern_prune_ln(m, "weight", tern_float(0.5), 1, 0);
    put(results, "prune_ln", m, image);
    m = made(ctx, "Linear(4, 3)");
    tern_prune_random(m, "weight", tern_float(0.4));
    tern_prune_random(m, "weight", tern_float(0.3));
    put(results, "prune_random", m, x);
    m = made(ctx, "Conv2d(2, 4, 3)");
    tern_prune_random_structured(m, "weight", tern_float(0.5), 0);
    put(results, "prune_random_structured", m, image);
    m = made(ctx, "Sequential(Linear(4, 6), ReLU(), Linear(6, 3))");
    tern_prune_target all[] = {{tern_module_get(m, "0"), "weight"},
                               {tern_module_get(m, "2"), "weight"},
                               {tern_module_get(m, "0"), "bias"}};
    tern_prune_global_l1(all, 3, tern_float(0.3));
    tern_prune_global_random(all, 3, tern_float(0.2));
    put(results, "prune_global", m, x);
    /* A state of torch.nn.utils.weight_norm, which the script wrote. */
    m = made(ctx, "Linear(4, 3)");
    tern_weight_norm(m, "weight", 0);
    tern_module_load(m, argv[2]);
    put(results, "weight_norm_old", m, x);
    tern_module *conv = made(ctx, "Conv2d(2, 3, 3, bias=False)"),
                *norm = made(ctx, "BatchNorm2d(3)");
    tern_forward(norm, tern_forward(conv, image));
    tern_module_eval(conv);
    tern_module_eval(norm);
    put(results, "fused", tern_fuse_conv_bn_eval(conv, norm), image);
    m = made(ctx, "Linear(4, 3)");
    put_average(results, "swa", m, tern_averaged_swa(m, false));
    m = made(ctx, "Linear(4, 3)");
    put_average(results, "ema", m, tern_averaged_ema(m, 0.9, true));
    tern_value_save(ctx, results, argv[1]);

    if (tern_check(ctx)) fprintf(stderr, "save_utils: %s\n", tern_error(ctx));
    return tern_close(ctx) != TERN_OK;
}
