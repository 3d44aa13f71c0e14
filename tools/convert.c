/* tern convert: from one file format to another, with another floating dtype where asked. */
#include "json_out.h"
#include "verbs.h"

#include "tern/io.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct convert_options {
    common_options common;
    const char *dtype;
} convert_options;

static const option table[] = {
    {"dtype", OPTION_TEXT, "T", NULL,
     "convert floating tensors to float32, float16, bfloat16 or float64",
     offsetof(convert_options, dtype), 0, 0, false},
};

/* What is being written. */
typedef struct conversion {
    tern_ctx *ctx;
    tern_dtype dtype; /* TERN_DTYPE_DEFAULT: as they are */
    tern_value flat;  /* tensors by path */
    int64_t tensors, left_out;
    int depth;
} conversion;

enum { DEEPEST = 64, NAME_SIZE = 1024 };

static tern_tensor *converted(const conversion *c, tern_tensor *tensor) {
    if (c->dtype == TERN_DTYPE_DEFAULT || !tern_dtype_is_floating(tern_dtype_of(tensor)))
        return tensor;
    return tern_to_dtype(tensor, c->dtype);
}

static tern_value rebuilt(conversion *c, tern_value value);

static tern_value rebuilt_dict(conversion *c, tern_value dict) {
    tern_value copy = tern_dict_new(c->ctx, tern_dict_is_ordered(dict)), key, item;
    for (size_t i = 0; tern_dict_at(dict, i, &key, &item); i++)
        tern_dict_set_value(copy, key, rebuilt(c, item));
    if (tern_dict_attributes(dict).kind == TERN_VALUE_DICT)
        tern_dict_set_attributes(copy, tern_dict_attributes(dict));
    return copy;
}

/* The same value with its tensors converted. */
static tern_value rebuilt(conversion *c, tern_value value) {
    if (++c->depth > DEEPEST) {
        tern_fail(c->ctx, TERN_ERR_FORMAT, "values are nested deeper than %d", DEEPEST);
    } else if (value.kind == TERN_VALUE_TENSOR) {
        c->tensors++;
        value = tern_tensor_value(converted(c, value.as.tensor));
    } else if (value.kind == TERN_VALUE_DICT) {
        value = rebuilt_dict(c, value);
    } else if (value.kind == TERN_VALUE_LIST || value.kind == TERN_VALUE_TUPLE) {
        tern_value copy =
            value.kind == TERN_VALUE_LIST ? tern_list_new(c->ctx) : tern_tuple_new(c->ctx);
        for (size_t i = 0; i < tern_value_count(value); i++)
            tern_list_append(copy, rebuilt(c, tern_value_at(value, i)));
        value = copy;
    }
    c->depth--;
    return value;
}

static void flatten(conversion *c, const char *path, tern_value value);

static void flatten_item(conversion *c, const char *path, tern_value key, tern_value item) {
    char name[NAME_SIZE], part[NAME_SIZE];
    if (key.kind == TERN_VALUE_STRING)
        snprintf(part, sizeof part, "%s", key.as.s);
    else
        tern_value_repr(key, part, sizeof part);
    if (snprintf(name, sizeof name, "%s%s%s", path, *path ? "." : "", part) >= NAME_SIZE)
        tern_fail(c->ctx, TERN_ERR_FORMAT, "%.40s...: the name of a tensor is too long", name);
    else
        flatten(c, name, item);
}

/* Formats that know tensors by name alone take nested ones by their path. */
static void flatten(conversion *c, const char *path, tern_value value) {
    tern_value key, item;
    if (++c->depth > DEEPEST) {
        tern_fail(c->ctx, TERN_ERR_FORMAT, "values are nested deeper than %d", DEEPEST);
    } else if (value.kind == TERN_VALUE_TENSOR) {
        const char *name = *path ? path : "arr_0";
        if (tern_dict_has(c->flat, name))
            tern_fail(c->ctx, TERN_ERR_FORMAT, "two tensors have the path '%s'", name);
        tern_dict_set(c->flat, name, tern_tensor_value(converted(c, value.as.tensor)));
        c->tensors++;
    } else if (value.kind == TERN_VALUE_DICT) {
        for (size_t i = 0; tern_dict_at(value, i, &key, &item); i++)
            flatten_item(c, path, key, item);
    } else if (value.kind == TERN_VALUE_LIST || value.kind == TERN_VALUE_TUPLE) {
        for (size_t i = 0; i < tern_value_count(value); i++)
            flatten_item(c, path, tern_int((int64_t)i), tern_value_at(value, i));
    } else {
        c->left_out++;
    }
    c->depth--;
}

static bool ends_in(const char *path, const char *ending) {
    size_t length = strlen(path), tail = strlen(ending);
    return length > tail && strcmp(path + length - tail, ending) == 0;
}

/* The value as the format of `path` takes it. */
static tern_value prepared(conversion *c, tern_value value, const char *path) {
    tern_value key, item;
    if (ends_in(path, ".pth") || ends_in(path, ".pt")) return rebuilt(c, value);
    c->flat = tern_dict_new(c->ctx, true);
    flatten(c, "", value);
    if (c->tensors == 0) {
        tern_fail(c->ctx, TERN_ERR_FORMAT, "there is no tensor in it to write to %s", path);
    } else if (ends_in(path, ".npy")) {
        if (c->tensors == 1 && tern_dict_at(c->flat, 0, &key, &item)) return item;
        tern_fail(c->ctx, TERN_ERR_FORMAT,
                  "%" PRId64 " tensors, but an .npy file holds one tensor; write an .npz",
                  c->tensors);
    } else if (ends_in(path, ".safetensors") &&
               tern_dict_has(tern_dict_attributes(value), "__metadata__")) {
        tern_dict_set_attributes(c->flat, tern_dict_attributes(value));
    }
    return c->flat;
}

static void report(const conversion *c, const convert_options *o) {
    const common_options *common = &o->common;
    if (common->json) {
        json_out j = json_out_begin(stdout);
        json_out_object(&j, NULL);
        json_out_text(&j, "from", common->positional[0]);
        json_out_text(&j, "to", common->positional[1]);
        json_out_int(&j, "tensors", c->tensors);
        json_out_int(&j, "left_out", c->left_out);
        json_out_end(&j);
        json_out_finish(&j);
    } else if (!common->quiet) {
        printf("%s: %" PRId64 " tensors\n", common->positional[1], c->tensors);
        if (c->left_out)
            printf("%" PRId64
                   " values that are not tensors are left out: this format holds only tensors\n",
                   c->left_out);
    }
}

static int convert(const verb *v, tern_ctx *ctx, const convert_options *o, tern_dtype dtype) {
    conversion c = {.ctx = ctx, .dtype = dtype};
    const char *from = o->common.positional[0], *to = o->common.positional[1];
    tern_value value = tern_value_load(ctx, from);
    if (tern_check(ctx) != TERN_OK) return work_failed(v, "%s", tern_error(ctx));
    value = prepared(&c, value, to);
    if (tern_check(ctx) != TERN_OK) return work_failed(v, "%s: %s", from, tern_error(ctx));
    if (tern_value_save(ctx, value, to) != TERN_OK) return work_failed(v, "%s", tern_error(ctx));
    report(&c, o);
    return EXIT_OK;
}

static int run(const verb *v, void *options) {
    static const char *const endings[] = {".pth", ".pt", ".safetensors", ".npy", ".npz"};
    const convert_options *o = options;
    tern_dtype dtype = TERN_DTYPE_DEFAULT;
    bool known = false;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        known = known || ends_in(o->common.positional[1], endings[i]);
    if (!known)
        return wrong_usage(
            v,
            "%s: the name must end in .pth, .pt, .safetensors, .npy or .npz to select the format",
            o->common.positional[1]);
    if (o->dtype && (!tern_dtype_parse(o->dtype, &dtype) || !tern_dtype_is_floating(dtype)))
        return wrong_usage(v, "--dtype needs float32, float64, float16 or bfloat16, not '%s'",
                           o->dtype);
    tern_ctx *ctx = tern_open(o->common.device);
    int status = convert(v, ctx, o, dtype);
    tern_close(ctx);
    return status;
}

const verb verb_convert = {
    .name = "convert",
    .arguments = "IN OUT",
    .summary = "rewrites a file in another format",
    .details = "OUT's name selects the format: .pth (.pt), .safetensors, .npy or .npz; IN's "
               "format\nis detected from its content. In formats of named tensors, nested tensors "
               "are named by their path\n(\"model.0.weight\"), and other values are left out with "
               "a message. On failure no partial\nfile is left behind.",
    .seed = "0",
    .options = table,
    .n_options = sizeof table / sizeof table[0],
    .least_positional = 2,
    .most_positional = 2,
    .options_size = sizeof(convert_options),
    .run = run,
};
