/* tern op: one operation by PyTorch's name, on tensors of a file. */
#include "arguments.h"
#include "conformance/results.h"
#include "json_out.h"
#include "verbs.h"

#include "tern/io.h"
#include "tern/ops.h"

#include <stdio.h>
#include <string.h>

enum { MOST_NAMES = 1024, NAME_SIZE = 64 };

typedef struct op_options {
    common_options common;
    const char *args;
    const char *in;
    const char *out;
} op_options;

static const option table[] = {
    {"args", OPTION_TEXT, "JSON", "{}",
     "{\"input\": \"@a\", \"dim\": 1} or a list; @x is a tensor of F", offsetof(op_options, args),
     0, 0, false},
    {"in", OPTION_TEXT, "F", NULL, "the safetensors or .pth file whose tensors @x refers to",
     offsetof(op_options, in), 0, 0, false},
    {"out", OPTION_TEXT, "G", NULL, "file for the results, named out0, out1, ... (safetensors)",
     offsetof(op_options, out), 0, 0, false},
};

typedef struct input_file {
    tern_ctx *ctx;
    const char *path; /* NULL where none was given */
    tern_value tensors;
} input_file;

static tern_tensor *find_tensor(void *user, const char *name, const char *argument) {
    const input_file *file = user;
    tern_value found = tern_dict_get(file->tensors, name);
    if (found.kind == TERN_VALUE_TENSOR) return found.as.tensor;
    if (!file->path)
        tern_fail(file->ctx, TERN_ERR_ARGUMENT,
                  "argument '%s' is '@%s', but no file was given with --in", argument, name);
    else
        tern_fail(file->ctx, TERN_ERR_NOT_FOUND, "%s has no tensor '%s' for argument '%s'",
                  file->path, name, argument);
    return NULL;
}

static int unknown_operation(const verb *v, const char *name) {
    static char names[MOST_NAMES][NAME_SIZE];
    const char *pointers[MOST_NAMES];
    tern_op_info info;
    size_t count = 0;
    for (; count < MOST_NAMES && tern_op_at(count, &info); count++) {
        snprintf(names[count], NAME_SIZE, "%.*s", (int)strcspn(info.schema, ":("), info.schema);
        pointers[count] = names[count];
    }
    const char *nearest = nearest_word(name, pointers, count);
    if (nearest) return work_failed(v, "no operation '%s'; did you mean '%s'?", name, nearest);
    return work_failed(v, "no operation '%s'; `tern ops` lists them", name);
}

/* {"out": [{"dtype", "shape"}]} */
static void print_json(tern_tensor *const *tensors, size_t count) {
    json_out j = json_out_begin(stdout);
    json_out_object(&j, NULL);
    json_out_array(&j, "out");
    for (size_t i = 0; i < count; i++) {
        tern_shape shape = tern_shape_of(tensors[i]);
        json_out_object(&j, NULL);
        json_out_text(&j, "dtype", tern_dtype_name(tern_dtype_of(tensors[i])));
        json_out_array(&j, "shape");
        for (int32_t d = 0; d < shape.rank; d++) json_out_int(&j, NULL, shape.dim[d]);
        json_out_end(&j);
        json_out_end(&j);
    }
    json_out_end(&j);
    json_out_end(&j);
    json_out_finish(&j);
}

static void print_text(tern_tensor *const *tensors, size_t count) {
    for (size_t i = 0; i < count; i++) printf("out%zu = %s\n", i, tern_repr_text(tensors[i]));
}

static void save(tern_ctx *ctx, tern_tensor *const *tensors, size_t count, const char *path) {
    tern_value dict = tern_dict_new(ctx, false);
    for (size_t i = 0; i < count; i++) {
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "out%zu", i);
        tern_dict_set(dict, name, tern_tensor_value(tensors[i]));
    }
    tern_value_save(ctx, dict, path);
}

static tern_value call(tern_ctx *ctx, const char *name, tern_value args) {
    static tern_value positional[MOST_RESULTS];
    size_t count = tern_value_count(args);
    if (args.kind == TERN_VALUE_DICT) return tern_call(ctx, name, NULL, 0, args);
    if (args.kind != TERN_VALUE_LIST || count > MOST_RESULTS) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "--args is a %s, but must be a dict of named or a list of positional arguments",
                  tern_kind_name(args.kind));
        return tern_none();
    }
    for (size_t i = 0; i < count; i++) positional[i] = tern_value_at(args, i);
    return tern_call(ctx, name, positional, (int)count, tern_none());
}

static void execute(tern_ctx *ctx, const op_options *o) {
    static results got;
    static tern_tensor *tensors[MOST_RESULTS];
    input_file file = {ctx, o->in, tern_none()};
    tern_value json = tern_json_parse(ctx, o->args, strlen(o->args));
    if (tern_error(ctx)[0]) return;
    if (o->in) file.tensors = tern_value_load(ctx, o->in);
    if (tern_error(ctx)[0]) return;
    tern_value args = call_arguments(ctx, json, find_tensor, &file);
    tern_manual_seed(ctx, o->common.seed);
    results_flatten(call(ctx, o->common.positional[0], args), &got);
    for (size_t i = 0; i < got.count && !tern_error(ctx)[0]; i++)
        tensors[i] = result_tensor(ctx, got.items[i]);
    if (tern_error(ctx)[0]) return;
    if (o->out) save(ctx, tensors, got.count, o->out);
    if (tern_check(ctx) != TERN_OK) return;
    if (o->common.json)
        print_json(tensors, got.count);
    else if (!o->common.quiet)
        print_text(tensors, got.count);
}

static int run(const verb *v, void *options) {
    const op_options *o = options;
    if (!tern_op_exists(o->common.positional[0]))
        return unknown_operation(v, o->common.positional[0]);
    tern_ctx *ctx = tern_open(o->common.device);
    if (!tern_error(ctx)[0]) execute(ctx, o);
    int status = tern_check(ctx) == TERN_OK ? EXIT_OK : work_failed(v, "%s", tern_error(ctx));
    tern_close(ctx);
    return status;
}

const verb verb_op = {
    .name = "op",
    .arguments = "NAME --args JSON --in F.safetensors --out G.safetensors",
    .summary = "runs one operation by PyTorch's name",
    .details = "Example: tern op matmul --args '{\"input\": \"@a\", \"other\": \"@b\"}' --in "
               "F.safetensors -o G.safetensors\n\"torch.float32\" in the arguments is a dtype; "
               "\"inf\", \"-inf\" and \"nan\" are floats.\nA name that ends in _ works in place; "
               "`tern ops` lists the names.",
    .seed = "0",
    .options = table,
    .n_options = sizeof table / sizeof table[0],
    .least_positional = 1,
    .most_positional = 1,
    .options_size = sizeof(op_options),
    .run = run,
};
