/* tern summary: a model's layers, the shapes that pass through them, its parameters and memory. */
#include "json_out.h"
#include "shape_text.h"
#include "verbs.h"

#include "tern/io.h"
#include "tern/ops.h"
#include "tern/summary.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct summary_options {
    common_options common;
    const char *input;
    const char *dtype;
} summary_options;

static const option table[] = {
    {"input", OPTION_TEXT, "SHAPE", NULL, "shape of the input with its batch: 1,1,28,28",
     offsetof(summary_options, input), 0, 0, false},
    {"dtype", OPTION_TEXT, "T", "float32", "dtype of the input", offsetof(summary_options, dtype),
     0, 0, false},
};

static void print_shape(json_out *j, const char *key, const tern_shape *shape, bool known) {
    if (!known) {
        json_out_null(j, key);
        return;
    }
    json_out_array(j, key);
    for (int i = 0; i < shape->rank; i++) json_out_int(j, NULL, shape->dim[i]);
    json_out_end(j);
}

static void print_json(const tern_summary *s) {
    json_out j = json_out_begin(stdout);
    json_out_object(&j, NULL);
    json_out_array(&j, "layers");
    for (size_t i = 0; i < s->count; i++) {
        const tern_summary_row *row = &s->rows[i];
        json_out_object(&j, NULL);
        json_out_text(&j, "name", row->name);
        json_out_text(&j, "kind", row->kind);
        print_shape(&j, "input", &row->input, row->called);
        print_shape(&j, "output", &row->output, row->called);
        json_out_int(&j, "parameters", row->parameters);
        json_out_int(&j, "trainable", row->trainable);
        json_out_end(&j);
    }
    json_out_end(&j);
    json_out_int(&j, "parameters", s->parameters);
    json_out_int(&j, "trainable", s->trainable);
    json_out_int(&j, "bytes", (int64_t)(s->parameter_bytes + s->buffer_bytes));
    json_out_end(&j);
    json_out_finish(&j);
}

/* The text itself, or that of the file which it names. */
static const char *model_text(tern_ctx *ctx, const char *argument) {
    struct stat status;
    size_t bytes;
    if (stat(argument, &status) != 0 || !S_ISREG(status.st_mode)) return argument;
    const char *text = tern_file_read(ctx, argument, &bytes);
    if (!text || strlen(text) == bytes) return text;
    tern_fail(ctx, TERN_ERR_FORMAT,
              "%s: not a text file; summary needs a model in PyTorch's notation. A file of weights "
              "holds no model: `tern inspect %s` lists its tensors",
              argument, argument);
    return NULL;
}

static void summarize(tern_ctx *ctx, const summary_options *o, const tern_shape *shape,
                      tern_dtype dtype) {
    const char *text = model_text(ctx, o->common.positional[0]);
    tern_manual_seed(ctx, o->common.seed);
    tern_module *model = text ? tern_nn(ctx, text) : NULL;
    if (!model) return;
    int n_inputs = shape->rank > 0;
    tern_value input = n_inputs ? tern_tensor_value(tern_zeros(ctx, *shape, dtype)) : tern_none();
    tern_summary summary;
    if (!o->common.json)
        printf("%s\n", tern_summary_text(model, &input, n_inputs));
    else if (tern_summary_of(model, &input, n_inputs, &summary) == TERN_OK)
        print_json(&summary);
}

static int run(const verb *v, void *options) {
    const summary_options *o = options;
    tern_shape shape = {0, {0}};
    tern_dtype dtype;
    if (o->input && !shape_parse(o->input, &shape))
        return wrong_usage(v, "--input needs a shape such as 1,1,28,28, not '%s'", o->input);
    if (!tern_dtype_parse(o->dtype, &dtype))
        return wrong_usage(v, "--dtype: there is no dtype '%s'", o->dtype);
    tern_ctx *ctx = tern_open(o->common.device);
    if (tern_check(ctx) == TERN_OK) summarize(ctx, o, &shape, dtype);
    int status = tern_check(ctx) == TERN_OK ? EXIT_OK : work_failed(v, "%s", tern_error(ctx));
    tern_close(ctx);
    return status;
}

const verb verb_summary = {
    .name = "summary",
    .arguments = "MODEL",
    .summary = "lists a model's layers, shapes, parameters and memory",
    .details = "MODEL is a model in PyTorch's notation, or a text file that holds one. With "
               "--input the model\n"
               "runs once, so that each layer's shapes are known.",
    .seed = "0",
    .options = table,
    .n_options = sizeof table / sizeof table[0],
    .least_positional = 1,
    .most_positional = 1,
    .options_size = sizeof(summary_options),
    .run = run,
};
