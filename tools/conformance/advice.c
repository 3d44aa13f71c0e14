#include "advice.h"

#include "training_models.h"

#include "tern/grad.h"
#include "tern/memory.h"
#include "tern/ops.h"
#include "tern/optim.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- primitives ------------------------------------------------------------------------------ */

enum { MOST_KERNELS = 64 };

typedef struct lacking {
    const char *kernel;
    bool dtypes[TERN_DTYPE_COUNT];
} lacking;

static bool is_missing(tern_ctx *ctx, size_t row, tern_dtype dtype) {
    return strcmp(tern_op_support(ctx, row, dtype), "missing") == 0;
}

/* The families of kernels that the reference has and the device has not, by dtype. */
static size_t find_lacking(tern_ctx *ctx, tern_ctx *reference, lacking *out) {
    tern_op_info info;
    size_t count = 0;
    for (size_t i = 0; tern_op_at(i, &info); i++)
        for (int t = 0; t < TERN_DTYPE_COUNT; t++) {
            size_t k = 0;
            if (!is_missing(ctx, i, (tern_dtype)t) || is_missing(reference, i, (tern_dtype)t))
                continue;
            while (k < count && strcmp(out[k].kernel, info.kernel) != 0) k++;
            if (k == MOST_KERNELS) continue;
            if (k == count) out[count++] = (lacking){info.kernel, {false}};
            out[k].dtypes[t] = true;
        }
    return count;
}

static void advise_primitives(conformance *run, tern_ctx *reference) {
    lacking list[MOST_KERNELS];
    size_t count = find_lacking(run->ctx, reference, list);
    for (size_t i = 0; i < count; i++) {
        char text[REPORT_WHAT];
        size_t used =
            (size_t)snprintf(text, sizeof text, "primitive '%s' is missing for", list[i].kernel);
        for (int t = 0; t < TERN_DTYPE_COUNT; t++)
            if (list[i].dtypes[t])
                used += (size_t)snprintf(text + used, sizeof text - used, " %s",
                                         tern_dtype_name((tern_dtype)t));
        report_advise(run->report, text);
    }
}

/* ---- fused kernels --------------------------------------------------------------------------- */

typedef struct trained {
    const char *name;
    tern_module *(*make)(tern_ctx *ctx);
    tern_shape input;
    bool tokens; /* the input counts, the output has classes last */
} trained;

static tern_module *make_gpt(tern_ctx *ctx) {
    const gpt_options form = {.vocab = 16, .width = 16, .heads = 2, .context = 8, .layers = 2};
    return gpt_new(ctx, &form);
}
static tern_module *make_classifier(tern_ctx *ctx) {
    return classifier_new(ctx, 16, 8, 8, 1, false);
}
static tern_module *make_images(tern_ctx *ctx) {
    return tern_nn(ctx, "Sequential(Conv2d(1, 4, 3, padding=1), BatchNorm2d(4), ReLU(), "
                        "MaxPool2d(2), Flatten(), Dropout(0.5), Linear(64, 2))");
}

static const trained models[] = {
    {"GPT", make_gpt, {2, {2, 8}}, true},
    {"LSTM classifier", make_classifier, {2, {2, 8}}, true},
    {"CNN", make_images, {4, {2, 1, 8, 8}}, false},
};

/* Launches of one training step, with a family composed; 0 where it fails. */
static uint64_t launches_of(tern_ctx *ctx, const trained *t, const char *composed) {
    tern_scope scope = tern_scope_begin(ctx, 0);
    uint64_t launches = 0;
    tern_module *model = t->make(ctx);
    tern_optim *optim = model ? tern_optim_new(model, "AdamW(lr=0.001)") : NULL;
    tern_set_composed(ctx, composed, true);
    tern_tensor *x = tern_zeros(ctx, t->input, t->tokens ? TERN_INT64 : TERN_FLOAT32);
    for (int step = 0; optim && step < 2; step++) { /* the second is a steady one */
        launches = tern_stats_of(ctx).launches;
        tern_tensor *out = tern_forward(model, x);
        if (tern_rank(out) > 2) out = tern_flatten(out, 0, 1);
        tern_tensor *target = tern_zeros(ctx, TERN_SHAPE(tern_size(out, 0)), TERN_INT64);
        tern_optim_zero_grad(optim);
        tern_backward(tern_cross_entropy(out, target, TERN_MEAN));
        tern_optim_step(optim);
        launches = tern_stats_of(ctx).launches - launches;
    }
    if (tern_error(ctx)[0]) launches = 0;
    tern_set_composed(ctx, composed, false);
    tern_error_clear(ctx);
    tern_scope_end(scope);
    return launches;
}

/* What the family saves in each model, counted on a device that fuses all. */
static void advise_family(conformance *run, tern_ctx *reference, const char *family) {
    char text[REPORT_WHAT];
    size_t used = (size_t)snprintf(text, sizeof text, "fused '%s' would save", family);
    bool any = false;
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        uint64_t fused = launches_of(reference, &models[i], "");
        uint64_t composed = launches_of(reference, &models[i], family);
        if (composed <= fused || !fused) continue;
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "%s %" PRIu64 " of %" PRIu64 " launches of a step of the %s",
                                 any ? "," : "", composed - fused, composed, models[i].name);
        any = true;
    }
    if (any) report_advise(run->report, text);
}

static void advise_fused(conformance *run, tern_ctx *reference) {
    const char *family;
    for (size_t i = 0; (family = tern_fused_family_at(i)) != NULL; i++)
        if (!tern_fuses(run->ctx, family, TERN_FLOAT32)) advise_family(run, reference, family);
}

void advise(conformance *run) {
    tern_ctx *reference = tern_open("cpu_ref"); /* which has everything */
    if (!tern_error(reference)[0]) {
        advise_primitives(run, reference);
        advise_fused(run, reference);
    }
    tern_close(reference);
}
