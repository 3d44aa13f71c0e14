#include "training_programs.h"

#include <stdio.h>
#include <string.h>

#include "tern/ops.h"
#include "training_models.h"

typedef training_program program;

/* ---- options --------------------------------------------------------------------------------- */

static int64_t whole(const program *p, const char *name) {
    return tern_value_as_int(tern_dict_get(p->options, name));
}

static double number(const program *p, const char *name) {
    return tern_value_as_double(tern_dict_get(p->options, name));
}

static bool flag(const program *p, const char *name) {
    return tern_value_as_int(tern_dict_get(p->options, name)) != 0;
}

static const char *text(const program *p, const char *name) {
    tern_value value = tern_dict_get(p->options, name);
    return value.kind == TERN_VALUE_STRING ? value.as.s : "";
}

static tern_tensor *called(const program *p, const char *name, const tern_value *args, int count) {
    tern_value result = tern_call(p->ctx, name, args, count, tern_none());
    return result.kind == TERN_VALUE_TENSOR ? result.as.tensor : tern_nil(p->ctx);
}

static void keep_data(program *p, tern_tensor *inputs, tern_tensor *targets) {
    p->inputs = inputs;
    p->targets = targets;
    p->data = tern_dict_new(p->ctx, false);
    tern_dict_set(p->data, "X", tern_tensor_value(inputs));
    if (targets != inputs) tern_dict_set(p->data, "y", tern_tensor_value(targets));
    p->n_train = tern_size(inputs, 0);
}

/* ---- setups ---------------------------------------------------------------------------------- */

/* Points around random centres, by a loader that shuffles. */
static void blobs(program *p) {
    char model[128], loss[64], optim[96];
    int64_t classes = whole(p, "classes"), n = whole(p, "n"), hidden = whole(p, "hidden");
    tern_tensor *centers = tern_mul_scalar(tern_randn(p->ctx, TERN_SHAPE(classes, 2), NULL), 3);
    tern_tensor *y = tern_randint(p->ctx, 0, classes, TERN_SHAPE(n), NULL);
    tern_tensor *noise = tern_mul_scalar(tern_randn(p->ctx, TERN_SHAPE(n, 2), NULL), 0.6);
    keep_data(p, tern_add(tern_index_select(centers, 0, y), noise), y);
    snprintf(model, sizeof model, "Sequential(Linear(2, %lld), Tanh(), Linear(%lld, %lld))",
             (long long)hidden, (long long)hidden, (long long)classes);
    snprintf(loss, sizeof loss, "CrossEntropyLoss(%s)", text(p, "loss_args"));
    snprintf(optim, sizeof optim, "SGD(lr=%.17g, momentum=0.9, nesterov=%s)", number(p, "lr"),
             flag(p, "nesterov") ? "True" : "False");
    p->model = tern_nn(p->ctx, model);
    p->loss = tern_nn(p->ctx, loss);
    p->optim = tern_optim_new(p->model, optim);
    p->batch = whole(p, "batch");
    p->drop_last = flag(p, "drop_last");
}

/* Two rings, told apart by one logit. */
static void circles(program *p) {
    char model[160], optim[64];
    int64_t n = whole(p, "n");
    const char *act = text(p, "act");
    long long hidden = (long long)whole(p, "hidden");
    tern_tensor *angle = tern_mul_scalar(tern_rand(p->ctx, TERN_SHAPE(n), NULL), 6.2831853);
    tern_value odd[] = {tern_tensor_value(tern_arange_i64(p->ctx, n)), tern_int(2)};
    tern_tensor *y = tern_to_dtype(called(p, "remainder", odd, 2), TERN_FLOAT32);
    tern_tensor *ring = tern_rsub_scalar(tern_mul_scalar(y, 0.5), 1);
    tern_tensor *noise = tern_randn(p->ctx, TERN_SHAPE(n), NULL);
    tern_tensor *radius = tern_add(ring, tern_mul_scalar(noise, 0.05));
    tern_tensor *xy[] = {tern_mul(radius, tern_cos(angle)), tern_mul(radius, tern_sin(angle))};
    keep_data(p, tern_stack(xy, 2, 1), y);
    snprintf(model, sizeof model,
             "Sequential(Linear(2, %lld), %s(), Linear(%lld, %lld), %s(), Linear(%lld, 1))", hidden,
             act, hidden, hidden, act, hidden);
    snprintf(optim, sizeof optim, "Adam(lr=%.17g)", number(p, "lr"));
    p->model = tern_nn(p->ctx, model);
    p->loss = tern_nn(p->ctx, "BCEWithLogitsLoss()");
    p->optim = tern_optim_new(p->model, optim);
    p->n_train = whole(p, "n_train");
    p->binary = true;
}

static void autoencoder(program *p) {
    char model[400], optim[64];
    long long c1 = (long long)whole(p, "c1"), c2 = (long long)whole(p, "c2");
    tern_tensor *coarse = tern_rand(p->ctx, TERN_SHAPE(whole(p, "n"), 1, 3, 3), NULL);
    int64_t size[] = {12, 12};
    tern_value args[] = {tern_tensor_value(coarse), tern_ints(size, 2), tern_none(),
                         tern_text("bilinear"), tern_bool(false)};
    tern_tensor *x = called(p, "nn.functional.interpolate", args, 5);
    keep_data(p, x, x);
    snprintf(model, sizeof model,
             "Sequential(Conv2d(1, %lld, 3, stride=2, padding=1), ReLU(), "
             "Conv2d(%lld, %lld, 3, stride=2, padding=1), ReLU(), "
             "ConvTranspose2d(%lld, %lld, 3, stride=2, padding=1, output_padding=1), ReLU(), "
             "ConvTranspose2d(%lld, 1, 3, stride=2, padding=1, output_padding=1), Sigmoid())",
             c1, c1, c2, c2, c1, c1);
    snprintf(optim, sizeof optim, "%s(lr=%.17g)", text(p, "opt"), number(p, "lr"));
    p->model = tern_nn(p->ctx, model);
    char loss[64];
    snprintf(loss, sizeof loss, "%s()", text(p, "loss"));
    p->loss = tern_nn(p->ctx, loss);
    p->optim = tern_optim_new(p->model, optim);
}

/* Draws a row, a column or a square brighter, which is the image's class. */
static void brighten(tern_tensor *image, int64_t kind, int64_t at) {
    tern_tensor *part = tern_select(image, 0, 0);
    if (kind == 0)
        part = tern_select(part, 0, at);
    else if (kind == 1)
        part = tern_select(part, 1, at);
    else
        part = tern_narrow(tern_narrow(part, 0, at, 3 < 12 - at ? 3 : 12 - at), 1, at,
                           3 < 12 - at ? 3 : 12 - at);
    tern_add_scalar_in_place(part, 1.5);
}

static void cnn(program *p) {
    char model[400], text_of[96];
    int64_t n = whole(p, "n");
    long long c1 = (long long)whole(p, "c1"), c2 = (long long)whole(p, "c2");
    tern_tensor *y = tern_randint(p->ctx, 0, 3, TERN_SHAPE(n), NULL);
    tern_tensor *x = tern_mul_scalar(tern_randn(p->ctx, TERN_SHAPE(n, 1, 12, 12), NULL), 0.5);
    tern_tensor *at = tern_randint(p->ctx, 1, 10, TERN_SHAPE(n), NULL);
    for (int64_t i = 0; i < n; i++)
        brighten(tern_select(x, 0, i), tern_item_i64(tern_select(y, 0, i)),
                 tern_item_i64(tern_select(at, 0, i)));
    keep_data(p, x, y);
    snprintf(model, sizeof model,
             "Sequential(Conv2d(1, %lld, 3, padding=1, bias=False), BatchNorm2d(%lld), ReLU(), "
             "MaxPool2d(2), Conv2d(%lld, %lld, 3), ReLU(), MaxPool2d(2), Flatten(), "
             "Linear(%lld, 3))",
             c1, c1, c1, c2, c2 * 4);
    p->model = tern_nn(p->ctx, model);
    p->loss = tern_nn(p->ctx, "CrossEntropyLoss()");
    snprintf(text_of, sizeof text_of, "AdamW(lr=0.001, weight_decay=%.17g)", number(p, "wd"));
    p->optim = tern_optim_new(p->model, text_of);
    p->batch = whole(p, "batch");
    p->epochs = whole(p, "epochs");
    p->sched = tern_one_cycle_lr_new(p->optim, number(p, "lr"), p->epochs * training_steps(p));
}

/* Which of two tokens is more frequent? */
static tern_tensor *count_of(tern_tensor *x, double token) {
    tern_tensor *same = tern_to_dtype(tern_eq_scalar(x, token), TERN_INT64);
    return tern_sum_dims(same, TERN_SHAPE(1), false);
}

static void lstm(program *p) {
    char optim[64];
    tern_shape shape = TERN_SHAPE(whole(p, "n"), whole(p, "length"));
    tern_tensor *x = tern_randint(p->ctx, 0, whole(p, "vocab"), shape, NULL);
    keep_data(p, x, tern_to_dtype(tern_gt(count_of(x, 1), count_of(x, 2)), TERN_INT64));
    p->model = classifier_new(p->ctx, whole(p, "vocab"), whole(p, "dim"), whole(p, "hidden"),
                              whole(p, "layers"), flag(p, "bi"));
    p->loss = tern_nn(p->ctx, "CrossEntropyLoss()");
    snprintf(optim, sizeof optim, "%s(lr=%.17g)", text(p, "opt"), number(p, "lr"));
    p->optim = tern_optim_new(p->model, optim);
}

/* Matrices decay, vectors do not. */
static tern_value decay_groups(const program *p) {
    tern_value groups = tern_list_new(p->ctx), all = tern_module_parameters(p->model);
    for (int matrices = 1; matrices >= 0; matrices--) {
        tern_value group = tern_dict_new(p->ctx, false), members = tern_list_new(p->ctx);
        for (size_t i = 0; i < tern_value_count(all); i++)
            if ((tern_rank(tern_value_at(all, i).as.tensor) >= 2) == matrices)
                tern_list_append(members, tern_value_at(all, i));
        tern_dict_set(group, "params", members);
        tern_dict_set(group, "weight_decay", tern_float(matrices ? 0.1 : 0));
        tern_list_append(groups, group);
    }
    return groups;
}

static void gpt(program *p) {
    int64_t vocab = whole(p, "vocab");
    tern_value steps[] = {
        tern_tensor_value(tern_randint(p->ctx, 0, 3, TERN_SHAPE(whole(p, "n")), NULL)),
        tern_int(0)};
    tern_value all[] = {tern_tensor_value(called(p, "cumsum", steps, 2)), tern_int(vocab)};
    p->inputs = called(p, "remainder", all, 2);
    p->data = tern_dict_new(p->ctx, false);
    tern_dict_set(p->data, "text", tern_tensor_value(p->inputs));
    p->context = whole(p, "context");
    gpt_options form = {.vocab = vocab,
                        .width = whole(p, "d"),
                        .heads = whole(p, "heads"),
                        .context = p->context,
                        .layers = whole(p, "layers"),
                        .tied = flag(p, "tied"),
                        .tanh_gelu = strstr(text(p, "gelu"), "tanh") != NULL};
    p->model = gpt_new(p->ctx, &form);
    p->loss = tern_nn(p->ctx, "CrossEntropyLoss()");
    tern_adamw_options o = TERN_ADAMW_OPTIONS;
    o.lr = number(p, "lr");
    o.betas = (tern_pair){0.9, 0.95};
    p->optim = tern_adamw_new(p->ctx, decay_groups(p), &o);
    p->batch = whole(p, "batch");
    p->clip = number(p, "clip");
}

static const struct {
    const char *name;
    void (*setup)(program *p);
} programs[] = {{"autoencoder", autoencoder},
                {"blobs", blobs},
                {"circles", circles},
                {"cnn", cnn},
                {"gpt", gpt},
                {"lstm", lstm}};

enum { N_PROGRAMS = sizeof programs / sizeof programs[0] };

bool training_has(const char *name) {
    for (size_t i = 0; i < N_PROGRAMS; i++)
        if (strcmp(programs[i].name, name) == 0) return true;
    return false;
}

bool training_setup(tern_ctx *ctx, const char *name, tern_value options, program *out_program) {
    *out_program = (program){.ctx = ctx, .options = options};
    out_program->epochs = whole(out_program, "epochs");
    tern_manual_seed(ctx, whole(out_program, "seed"));
    for (size_t i = 0; i < N_PROGRAMS; i++)
        if (strcmp(programs[i].name, name) == 0) programs[i].setup(out_program);
    return out_program->optim && tern_check(ctx) == TERN_OK;
}

/* ---- batches --------------------------------------------------------------------------------- */

static bool shuffles(const program *p) {
    return p->batch > 0 && p->context == 0;
}

int64_t training_steps(const program *p) {
    if (!shuffles(p)) return 1;
    return p->drop_last ? p->n_train / p->batch : (p->n_train + p->batch - 1) / p->batch;
}

/* The loader draws a seed for its workers, and its sampler one for a generator of its own. */
tern_tensor *training_shuffle(const program *p) {
    if (!shuffles(p)) return NULL;
    tern_generator *own = tern_generator_new(p->ctx), *shared = tern_default_generator(p->ctx);
    tern_generator_next_u64(shared);
    tern_generator_seed(own, (int64_t)(tern_generator_next_u64(shared) & INT64_MAX));
    return tern_randperm(p->ctx, p->n_train, own);
}

/* Windows of the text at random places, and the same one token on. */
static training_batch windows(const program *p) {
    int64_t most = tern_size(p->inputs, 0) - p->context - 1;
    tern_tensor *start = tern_randint(p->ctx, 0, most, TERN_SHAPE(p->batch), NULL);
    tern_tensor *offsets = tern_unsqueeze(tern_arange_i64(p->ctx, p->context), 0);
    tern_tensor *at = tern_reshape(tern_add(tern_unsqueeze(start, 1), offsets), TERN_SHAPE(-1));
    tern_value next[] = {tern_tensor_value(at), tern_int(1)};
    tern_shape shape = TERN_SHAPE(p->batch, p->context);
    return (training_batch){
        tern_reshape(tern_index_select(p->inputs, 0, at), shape),
        tern_reshape(tern_index_select(p->inputs, 0, called(p, "add", next, 2)), shape), start};
}

training_batch training_next(const program *p, tern_tensor *shuffle, int64_t step) {
    if (p->context) return windows(p);
    if (!shuffle)
        return (training_batch){tern_narrow(p->inputs, 0, 0, p->n_train),
                                tern_narrow(p->targets, 0, 0, p->n_train), NULL};
    int64_t first = step * p->batch, left = p->n_train - first;
    tern_tensor *at = tern_narrow(shuffle, 0, first, left < p->batch ? left : p->batch);
    return (training_batch){tern_index_select(p->inputs, 0, at),
                            tern_index_select(p->targets, 0, at), at};
}

tern_tensor *training_loss(const program *p, training_batch batch) {
    tern_tensor *out = tern_forward(p->model, batch.inputs), *targets = batch.targets;
    if (p->binary) out = tern_squeeze(out, 1);
    if (p->context) {
        out = tern_reshape(out, TERN_SHAPE(-1, tern_size(out, -1)));
        targets = tern_reshape(targets, TERN_SHAPE(-1));
    }
    return tern_forward2(p->loss, out, targets);
}

double training_accuracy(const program *p, int64_t first, int64_t count) {
    tern_scope scope = tern_scope_begin(p->ctx, TERN_INFERENCE);
    tern_tensor *out = tern_forward(p->model, tern_narrow(p->inputs, 0, first, count));
    out = p->binary ? tern_round(tern_sigmoid(tern_squeeze(out, 1))) : tern_argmax(out, 1, false);
    tern_tensor *right = tern_eq(out, tern_narrow(p->targets, 0, first, count));
    double share = tern_item(tern_mean(tern_to_dtype(right, TERN_FLOAT64)));
    tern_scope_end(scope);
    return share;
}
