/*
 * legal.c: the legal arguments that legal.txt names.
 */
#include "arguments.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 8192

void *memory(struct call *c) {
    void *block = calloc(1, BLOCK);
    if (!block || c->n_blocks == (int)(sizeof c->blocks / sizeof c->blocks[0])) abort();
    c->blocks[c->n_blocks++] = block;
    return block;
}

void *copied(struct call *c, const void *data, size_t size) {
    return memcpy(memory(c), data, size);
}

/* Calls fn(with) when the call is over. */
static void undo(struct call *c, void (*fn)(void *), void *with) {
    if (c->n_undo == (int)(sizeof c->undo / sizeof c->undo[0])) abort();
    c->undo[c->n_undo] = fn;
    c->undo_with[c->n_undo++] = with;
}

/* ---- tensors and values ---------------------------------------------------------------------- */

/* Different numbers in (0.2, 0.8), others at each call, so that exchanged arguments show. */
tern_tensor *floats(struct call *c, tern_shape shape) {
    float numbers[64];
    int64_t count = 1;
    for (int d = 0; d < shape.rank; d++) count *= shape.dim[d];
    if (count > 64) abort();
    c->n_floats++;
    for (int64_t i = 0; i < count; i++)
        numbers[i] = 0.2f + 0.6f * (float)((i * 7 + c->n_floats * 3) % 11 + 1) / 13.0f;
    return tern_from_data(c->ctx, numbers, shape, TERN_FLOAT32);
}

tern_tensor *tensor(struct call *c) {
    return floats(c, TERN_SHAPE(2, 2));
}

tern_tensor *matrix(struct call *c) {
    static const float elements[] = {2, 0.5F, 0.5F, 2};
    return tern_from_data(c->ctx, elements, TERN_SHAPE(2, 2), TERN_FLOAT32);
}

tern_tensor *pivots(struct call *c) {
    static const int32_t rows[] = {1, 2};
    return tern_from_data(c->ctx, rows, TERN_SHAPE(2), TERN_INT32);
}

tern_tensor *indices(struct call *c, tern_shape shape) {
    return tern_zeros(c->ctx, shape, TERN_INT64);
}

tern_tensor *leaf(struct call *c) {
    return tern_requires_grad(tensor(c), true);
}

tern_tensor *loss(struct call *c) {
    return tern_sum(leaf(c));
}

tern_tensor *const *tensors(struct call *c) {
    tern_tensor **two = memory(c);
    two[0] = tensor(c);
    two[1] = tensor(c);
    return two;
}

tern_tensor *const *vectors(struct call *c) {
    tern_tensor **two = memory(c);
    two[0] = floats(c, TERN_SHAPE(2));
    two[1] = floats(c, TERN_SHAPE(2));
    return two;
}

tern_tensor *const *positions(struct call *c) {
    tern_tensor **two = memory(c);
    two[0] = indices(c, TERN_SHAPE(2));
    two[1] = indices(c, TERN_SHAPE(2));
    return two;
}

tern_tensor **slot(struct call *c) {
    tern_tensor **one = memory(c);
    one[0] = tensor(c);
    return one;
}

tern_value list(struct call *c) {
    tern_value all = tern_list_new(c->ctx);
    tern_list_append(all, tern_tensor_value(leaf(c)));
    return all;
}

tern_value dict(struct call *c) {
    tern_value all = tern_dict_new(c->ctx, false);
    tern_dict_set(all, "weight", tern_tensor_value(tensor(c)));
    return all;
}

const tern_value *values(struct call *c) {
    tern_value *one = memory(c);
    one[0] = tern_tensor_value(tensor(c));
    return one;
}

const tern_entry *entries(struct call *c) {
    tern_entry *one = memory(c);
    one[0] = (tern_entry){"weight", tern_int(1)};
    return one;
}

const tern_value *numbers(struct call *c) {
    tern_value *two = memory(c);
    two[0] = two[1] = tern_int(2);
    return two;
}

tern_tensor *const *outputs(struct call *c) {
    tern_tensor **two = memory(c);
    two[0] = leaf(c);
    two[1] = leaf(c);
    return two;
}

tern_tensor *const *leaves(struct call *c) {
    tern_tensor **two = memory(c);
    for (int i = 0; i < 2; i++)
        two[i] = tern_requires_grad(tern_ones(c->ctx, TERN_SHAPE(2), TERN_FLOAT64), true);
    return two;
}

uint8_t *rng_state(struct call *c) {
    uint8_t *state = memory(c);
    tern_generator_get_state(tern_default_generator(c->ctx), state);
    return state;
}

/* ---- modules and optimizers ------------------------------------------------------------------ */

tern_module *made(struct call *c, const char *notation) {
    return tern_nn(c->ctx, notation);
}

tern_module *module(struct call *c) {
    return made(c, "Linear(2, 2)");
}

tern_module *const *modules(struct call *c) {
    tern_module **one = memory(c);
    one[0] = module(c);
    return one;
}

static void free_weights(void *with) {
    tern_weights_free(with);
}

tern_weights *weights(struct call *c) {
    tern_weights *new_weights = tern_weights_new(module(c));
    undo(c, free_weights, new_weights);
    return new_weights;
}

tern_distribution *distribution(struct call *c) {
    tern_tensor *ones = tern_ones(c->ctx, TERN_SHAPE(2, 2), TERN_FLOAT32);
    return tern_distribution_normal(ones, ones);
}

tern_transform *transforms(struct call *c) {
    tern_transform *one = memory(c);
    one->kind = TERN_TRANSFORM_EXP;
    return one;
}

tern_optim *optim(struct call *c) {
    return tern_sgd_new(c->ctx, list(c), NULL);
}

tern_optim *stepping(struct call *c) {
    tern_module *own = module(c);
    if (c->ctx == c->own && !c->stale.ctx) c->stepped = own;
    return tern_optim_new(own, "SGD()");
}

tern_module *stepped(struct call *c) {
    return c->stepped && c->ctx == c->own && !c->stale.ctx ? c->stepped : module(c);
}

/* Of other parameters than those that the optimizer has. */
tern_value group(struct call *c) {
    tern_value one = tern_dict_new(c->ctx, false);
    tern_dict_set(one, "params", list(c));
    return one;
}

tern_value gamma_argument(struct call *c) {
    tern_value args = tern_dict_new(c->ctx, false);
    tern_dict_set(args, "gamma", tern_float(0.5));
    return args;
}

tern_sched *sched(struct call *c) {
    return tern_step_lr_new(optim(c), 3, 0.1);
}

/* ---- data ------------------------------------------------------------------------------------ */

tern_dataset *dataset(struct call *c) {
    tern_tensor *samples = tensor(c);
    return tern_tensor_dataset_new(c->ctx, &samples, 1);
}

tern_dataset *images(struct call *c) {
    tern_tensor *samples = floats(c, TERN_SHAPE(2, 1, 4, 4));
    return tern_tensor_dataset_new(c->ctx, &samples, 1);
}

tern_dataset *subset(struct call *c) {
    return tern_subset_new(dataset(c), memory(c), 2);
}

tern_loader *loader(struct call *c) {
    tern_loader *new_loader = tern_loader_new(dataset(c), NULL);
    tern_loader_begin(new_loader);
    return new_loader;
}

tern_sample_field *fields(struct call *c) {
    tern_sample_field *one = memory(c);
    one->dtype = TERN_FLOAT32;
    one->shape = TERN_SHAPE(2);
    return one;
}

bool sample(void *user, int64_t index, void *const *out_fields) {
    (void)user, (void)index;
    memset(out_fields[0], 0, 2 * sizeof(float));
    return true;
}

/* ---- files ----------------------------------------------------------------------------------- */

tern_safetensors *safetensors(struct call *c) {
    return tern_safetensors_open(c->ctx, "tensors.safetensors");
}

tern_csv *csv(struct call *c) {
    return tern_csv_open(c->ctx, "table.csv", NULL);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void free_report(void *with) {
    tern_load_report_free(with);
}

tern_load_report *report(struct call *c) {
    tern_load_report *new_report = tern_load_report_new(0);
    undo(c, free_report, new_report);
    return new_report;
}

static void free_textbuf(void *with) {
    tern_textbuf_free(with);
}

tern_textbuf *textbuf(struct call *c) {
    tern_textbuf *text = memory(c);
    undo(c, free_textbuf, text);
    tern_textbuf_add(text, "some text");
    return text;
}

tern_nearest *nearest(struct call *c) {
    tern_nearest found = tern_nearest_begin("weight");
    return copied(c, &found, sizeof found);
}

tern_schema *schema(struct call *c) {
    tern_schema *parsed = memory(c);
    tern_schema_parse("Some(Tensor weight, int[] list=(1, 2), *, float p=0.5)", parsed);
    return parsed;
}

const char *const *names(struct call *c) {
    const char **one = memory(c);
    one[0] = "a";
    return one;
}

const double *doubles(struct call *c) {
    double *two = memory(c);
    two[0] = two[1] = 1;
    return two;
}

tern_ctx *another(struct call *c) {
    tern_ctx *ctx = tern_open(NULL);
    if (c->ctx == c->failed) tern_fail(ctx, TERN_ERR_ARGUMENT, "latched");
    return ctx;
}

/* Of two tensors and a number, as tensors() and doubles() give. */
const tern_update_rule update_rule = {
    .tensors = "p g", .numbers = "rate", .flags = "", .formula = "p = add(p, g, rate)"};

tern_updater *updater(struct call *c) {
    return tern_updater_of(c->ctx, &update_rule, 0, TERN_FLOAT32);
}

tern_update_run *update_run(struct call *c) {
    return tern_updater_prepare(updater(c), tensors(c), doubles(c), 1);
}

tern_ctx *capturing(struct call *c) {
    tern_capture_begin(c->ctx, NULL, 0);
    return c->ctx;
}

/* Without data from the host, which no replay repeats. */
tern_tensor *const *made_inside(struct call *c) {
    tern_tensor **two = memory(c);
    two[0] = tern_zeros(c->ctx, TERN_SHAPE(2, 2), TERN_FLOAT32);
    two[1] = tern_ones(c->ctx, TERN_SHAPE(2, 2), TERN_FLOAT32);
    return two;
}

tern_replay *replay(struct call *c) {
    tern_tensor *one[] = {floats(c, TERN_SHAPE(2, 2))};
    tern_capture_begin(c->ctx, one, 1);
    tern_tensor *twice = tern_add(one[0], one[0]);
    return tern_capture_end(c->ctx, &twice, 1);
}

tern_status ignore_action(void *kept) {
    (void)kept;
    return TERN_OK;
}

void ignore_step(void *user, const char *device, uint64_t step) {
    (void)user, (void)device, (void)step;
}

void ignore_user(void *user) {
    (void)user;
}

void ignore_error(void *user, tern_status status, const char *message) {
    (void)user, (void)status, (void)message;
}

size_t no_place(void *user, char *out_text, size_t size) {
    (void)user, (void)out_text, (void)size;
    return 0;
}

void ignore_log(void *user, tern_log_level level, const char *message) {
    (void)user, (void)level, (void)message;
}

void ignore_line(void *user, const char *line) {
    (void)user, (void)line;
}

void ignore_module(tern_module *module, void *user) {
    (void)module, (void)user;
}

tern_tensor *square(tern_ctx *ctx, tern_tensor *const *inputs, int n_inputs, void *user) {
    (void)ctx, (void)n_inputs, (void)user;
    return tern_mul(inputs[0], inputs[0]);
}

bool visit(void *user, const char *name, tern_module *module) {
    (void)user, (void)name, (void)module;
    return true;
}

/* `user` is the call; without one there is no loss. */
tern_tensor *ignore_gradient(tern_tensor *grad, void *user) {
    (void)user;
    return grad;
}

tern_tensor *ignore_average(tern_tensor *averages, tern_tensor *current, int64_t n, void *user) {
    (void)current;
    (void)n;
    (void)user;
    return averages;
}

tern_module *averaged(struct call *c) {
    return tern_averaged_swa(module(c), false);
}

tern_module *parametrized(struct call *c) {
    tern_module *m = module(c);
    tern_parametrize(m, "weight", made(c, "Identity()"));
    return m;
}

tern_module *pruned(struct call *c) {
    tern_module *m = module(c);
    tern_prune_l1(m, "weight", tern_float(0.5));
    return m;
}

const tern_prune_target *prune_targets(struct call *c) {
    tern_prune_target *two = memory(c);
    two[0] = (tern_prune_target){module(c), "weight"};
    two[1] = (tern_prune_target){pruned(c), "weight"};
    return two;
}

tern_module *evaluating(struct call *c, const char *notation) {
    tern_module *m = made(c, notation);
    tern_module_eval(m);
    return m;
}

tern_value ignore_before(tern_module *module, tern_value args, void *user) {
    (void)module;
    (void)args;
    (void)user;
    return tern_none();
}

tern_value ignore_after(tern_module *module, tern_value a, tern_value b, void *user) {
    (void)a;
    return ignore_before(module, b, user);
}

static void keep_call(tern_function_call *call, tern_tensor *const *in, tern_tensor **out) {
    tern_function_call **keeps = tern_function_user(call);
    if (keeps) *keeps = call;
    out[0] = in[0];
}

static void hand_back(tern_function_call *call, tern_tensor *const *grads, tern_tensor **out) {
    (void)call;
    out[0] = grads[0];
}

const tern_function identity = {.name = "Identity", .forward = keep_call, .backward = hand_back};

tern_function_call *function_call(struct call *c) {
    tern_function_call **call = memory(c);
    tern_function_apply(&identity, tensor(c), call);
    return *call;
}

tern_tensor *loss_of(void *user) {
    struct call *c = user;
    return c ? tern_scalar_tensor(c->own, 1, TERN_FLOAT32) : NULL;
}

double lambda(int64_t epoch, void *user) {
    (void)epoch, (void)user;
    return 1;
}
