/* tern convert: a file in another format, or with another dtype. */
#include "verbs.h"

#include "tern/io.h"
#include "tern/tensor.h"

#include <stdio.h>

enum { MAX_DEPTH = 256 };

typedef struct convert_options {
    common_options common;
    const char *dtype;
} convert_options;

static const option table[] = {
    {"dtype", OPTION_TEXT, "T", NULL, "converts floating-point tensors: float32, bfloat16 ...",
     offsetof(convert_options, dtype), 0, 0, false},
};

/* The value with its floating-point tensors in another dtype; containers are changed in place. */
static tern_value converted(tern_value value, tern_dtype dtype, int depth) {
    tern_value key, item;
    if (depth > MAX_DEPTH) return value;
    switch (value.kind) {
    case TERN_VALUE_TENSOR:
        if (!tern_dtype_is_floating(tern_dtype_of(value.as.tensor))) return value;
        return tern_tensor_value(tern_to_dtype(value.as.tensor, dtype));
    case TERN_VALUE_LIST:
    case TERN_VALUE_TUPLE:
        for (size_t i = 0; i < tern_value_count(value); i++)
            tern_list_set(value, i, converted(tern_value_at(value, i), dtype, depth + 1));
        return value;
    case TERN_VALUE_DICT:
        for (size_t i = 0; tern_dict_at(value, i, &key, &item); i++)
            tern_dict_set_value(value, key, converted(item, dtype, depth + 1));
        return value;
    default: return value;
    }
}

static int run(const verb *v, void *options) {
    const convert_options *o = options;
    tern_dtype dtype = TERN_DTYPE_DEFAULT;
    if (o->dtype && (!tern_dtype_parse(o->dtype, &dtype) || !tern_dtype_is_floating(dtype)))
        return wrong_usage(v, "--dtype '%s' is none of float32, float64, float16 and bfloat16",
                           o->dtype);
    tern_ctx *ctx = tern_open(o->common.device);
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_value value = tern_value_load(ctx, o->common.positional[0]);
    if (o->dtype) value = converted(value, dtype, 0);
    tern_status status = tern_value_save(ctx, value, o->common.positional[1]);
    int result = status == TERN_OK ? EXIT_OK : work_failed(v, "%s", tern_error(ctx));
    tern_scope_end(scope);
    tern_close(ctx);
    return result;
}

const verb verb_convert = {
    .name = "convert",
    .arguments = "IN OUT",
    .summary = "writes a file in another format or with another dtype",
    .details =
        "IN is a .pth, .safetensors, .npy or .npz file, by its content; OUT's ending chooses its\n"
        "format. safetensors and .npz hold a dict of tensors, .npy holds one tensor.",
    .seed = "0",
    .options = table,
    .n_options = sizeof table / sizeof table[0],
    .least_positional = 2,
    .most_positional = 2,
    .options_size = sizeof(convert_options),
    .run = run,
};
