/*
 * save_samples.c FOLDER: writes what check_pth.py reads with PyTorch.
 *
 * Run by hand where torch is installed; no test of the build needs it.
 */
#include <stdio.h>
#include <string.h>

#include "tern/grad.h"
#include "tern/io.h"
#include "tern/nn.h"
#include "tern/ops.h"

static tern_value every_dtype(tern_ctx *ctx) {
    tern_value v = tern_dict_new(ctx, false);
    for (int d = 0; d < TERN_DTYPE_COUNT; d++) {
        tern_tensor *t = tern_to_dtype(tern_arange(ctx, 0, 6, 1), (tern_dtype)d);
        tern_dict_set(v, tern_dtype_name((tern_dtype)d),
                      tern_tensor_value(tern_reshape(t, TERN_SHAPE(2, 3))));
    }
    return v;
}

/* All dtypes that numpy has. */
static tern_value numpys_dtypes(tern_ctx *ctx) {
    tern_value all = every_dtype(ctx), v = tern_dict_new(ctx, false), key, item;
    for (size_t i = 0; tern_dict_at(all, i, &key, &item); i++)
        if (strcmp(key.as.s, "bfloat16") != 0) tern_dict_set(v, key.as.s, item);
    return v;
}

static tern_value views(tern_ctx *ctx) {
    tern_value v = tern_dict_new(ctx, false);
    tern_tensor *base = tern_reshape(tern_arange(ctx, 0, 12, 1), TERN_SHAPE(3, 4));
    tern_dict_set(v, "base", tern_tensor_value(base));
    tern_dict_set(v, "t", tern_tensor_value(tern_t(base)));
    tern_dict_set(v, "row", tern_tensor_value(tern_select(base, 0, 1)));
    tern_dict_set(v, "step", tern_tensor_value(tern_slice(base, 1, 1, INT64_MAX, 2)));
    tern_dict_set(v, "expand",
                  tern_tensor_value(tern_expand(tern_narrow(base, 1, 0, 1), TERN_SHAPE(3, 5))));
    tern_dict_set(v, "again", tern_tensor_value(base));
    tern_tensor *leaf = tern_ones(ctx, TERN_SHAPE(2), TERN_FLOAT32);
    tern_dict_set(v, "leaf", tern_tensor_value(tern_requires_grad(leaf, true)));
    tern_dict_set(v, "empty", tern_tensor_value(tern_zeros(ctx, TERN_SHAPE(2, 0, 3), TERN_INT8)));
    tern_dict_set(v, "scalar", tern_tensor_value(tern_scalar_tensor(ctx, 2.5, TERN_FLOAT64)));
    return v;
}

static tern_value plain(tern_ctx *ctx) {
    static const int64_t shape[] = {2, 3};
    tern_value v = tern_dict_new(ctx, false), list = tern_list_new(ctx);
    tern_value tuple = tern_tuple_new(ctx), many = tern_dict_new(ctx, false);
    for (int i = 0; i < 5; i++) tern_list_append(tuple, tern_int(INT64_MIN >> (i * 15)));
    for (int i = 0; i < 2500; i++) tern_dict_set_value(many, tern_int(i), tern_int(i * i));
    tern_list_append(list, tern_none());
    tern_list_append(list, tern_bool(true));
    tern_list_append(list, tern_float(0.1));
    tern_list_append(list, tern_string(ctx, "zw\xc3\xb6lf \xe2\x9c\x93"));
    tern_list_append(list, tern_dtype_value(TERN_BFLOAT16));
    tern_dict_set(v, "list", list);
    tern_dict_set(v, "same", list);
    tern_dict_set(v, "tuple", tuple);
    tern_dict_set(v, "many", many);
    tern_dict_set(v, "shape", tern_ints(shape, 2));
    return v;
}

int main(int argc, char **argv) {
    char path[1024];
    tern_ctx *ctx = tern_open(NULL);
    const char *folder = argc > 1 ? argv[1] : ".";
    tern_manual_seed(ctx, 42);
#define SAVE(name, value)                                                                          \
    snprintf(path, sizeof path, "%s/%s", folder, name);                                            \
    tern_value_save(ctx, value, path)
    SAVE("dtypes.pth", every_dtype(ctx));
    SAVE("views.pth", views(ctx));
    SAVE("plain.pth", plain(ctx));
    SAVE("dtypes.safetensors", every_dtype(ctx));
    SAVE("dtypes.npz", numpys_dtypes(ctx));
    SAVE("turned.npy", tern_dict_get(views(ctx), "t"));
    tern_module *model = tern_nn(ctx, "Sequential(Linear(3, 4), ReLU(), Linear(4, 2))");
    snprintf(path, sizeof path, "%s/model.pth", folder);
    tern_module_save(model, path);
    if (tern_check(ctx)) fprintf(stderr, "%s\n", tern_error(ctx));
    return tern_close(ctx) != TERN_OK;
}
