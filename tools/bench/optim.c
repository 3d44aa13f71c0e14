/* A step of an optimizer over five million parameters. */
#include "bench.h"

#include "tern/grad.h"
#include "tern/ops.h"

enum { PARAMETERS = 5, SIDE = 1000 };

static void prepare_step(bench_subject *s) {
    tern_value list = tern_list_new(s->ctx), options = tern_dict_new(s->ctx, false);
    for (int i = 0; i < PARAMETERS; i++) {
        tern_tensor *parameter = tern_rand(s->ctx, TERN_SHAPE(SIDE, SIDE), NULL);
        tern_set_grad(tern_requires_grad(parameter, true), tern_rand_like(tern_detach(parameter)));
        tern_list_append(list, tern_tensor_value(parameter));
    }
    tern_dict_set(options, "lr", tern_float(s->size[0] ? 0.1 : 1e-3));
    if (s->size[0]) tern_dict_set(options, "momentum", tern_float(0.9));
    if (s->size[1]) tern_dict_set(options, "fused", tern_bool(true));
    s->optim = tern_optim_make(s->ctx, list, s->text, options);
}

static void run_step(bench_subject *s) {
    tern_optim_step(s->optim);
}

/* size: with momentum, fused */
static const bench_case cases[] = {
    {"optim_sgd_momentum_5M", BENCH_MS, prepare_step, run_step, .size = {1, 0}, .text = "SGD"},
    {"optim_adamw_5M", BENCH_MS, prepare_step, run_step, .size = {0, 0}, .text = "AdamW"},
    {"optim_adamw_fused_5M", BENCH_MS, prepare_step, run_step, .size = {0, 1}, .text = "AdamW"},
};

const bench_group bench_optim = BENCH_GROUP("optim", cases);
