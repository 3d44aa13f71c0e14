/* The tutorial's loop: a line learned from forty points. */
#include "bench.h"

#include "tern/grad.h"
#include "tern/ops.h"

static tern_tensor *line(tern_tensor *x) {
    return tern_add_scalar(tern_mul_scalar(x, 0.7), 0.3);
}

static void prepare_line(bench_subject *s) {
    tern_tensor *x = tern_unsqueeze(tern_arange(s->ctx, 0, 1, 0.02), 1), *y = line(x);
    s->a = tern_slice(x, 0, 0, 40, 1);
    s->target = tern_slice(y, 0, 0, 40, 1);
    s->b = tern_slice(x, 0, 40, INT64_MAX, 1);
    s->c = tern_slice(y, 0, 40, INT64_MAX, 1);
    s->model = tern_nn(s->ctx, "Linear(1, 1)");
    if (s->model) s->optim = tern_optim_new(s->model, "SGD(lr=0.01)");
}

/* One step of training, then the loss on the points kept for the test. */
static void run_epoch(bench_subject *s) {
    tern_module_train(s->model, true);
    tern_tensor *loss = tern_l1_loss(tern_forward(s->model, s->a), s->target, TERN_MEAN);
    tern_optim_zero_grad(s->optim);
    tern_backward(loss);
    tern_optim_step(s->optim);
    tern_module_eval(s->model);
    tern_scope inference = tern_scope_begin(s->ctx, TERN_INFERENCE);
    s->results[0] = loss;
    tern_tensor *test = tern_l1_loss(tern_forward(s->model, s->b), s->c, TERN_MEAN);
    s->results[1] = tern_scope_return(inference, test);
}

static const bench_case cases[] = {
    {"seed_epoch", BENCH_US, .prepare = prepare_line, .once = run_epoch},
    {"seed_epoch_replayed", BENCH_US, .prepare = prepare_line, .once = run_epoch,
     .flags = BENCH_REPLAYED},
};

const bench_group bench_seed_loop = BENCH_GROUP("seed_loop", cases);
