/* Training on Fashion-MNIST: batches in the order of the file, as slices of one tensor. */
#include "bench.h"
#include "models.h"

#include "tern/grad.h"
#include "tern/ops.h"

enum { BATCHES = 900 };

static void prepare_training(bench_subject *s) {
    if (!bench_fashion(s)) return;
    if (tern_size(s->session->images, 0) < s->size[0])
        bench_lacks(s, "there are too few images for a batch");
    s->model = tern_nn(s->ctx, s->text);
    if (s->model) s->optim = tern_optim_new(s->model, "SGD(lr=0.1)");
    s->work = (double)s->size[0];
}

static void run_step(bench_subject *s) {
    int64_t batch = s->size[0], all = tern_size(s->session->images, 0) / batch;
    int64_t first = s->step++ % (all < BATCHES ? all : BATCHES) * batch;
    tern_tensor *images = tern_narrow(s->session->images, 0, first, batch);
    tern_tensor *labels = tern_narrow(s->session->labels, 0, first, batch);
    tern_optim_zero_grad(s->optim);
    tern_backward(tern_cross_entropy(tern_forward(s->model, images), labels, TERN_MEAN));
    tern_optim_step(s->optim);
}

static const bench_case cases[] = {
    {"mlp_train_b64", BENCH_SAMPLES, prepare_training, run_step, .size = {64}, .text = MODEL_MLP,
     .budgets = 3},
    {"cnn_train_b32", BENCH_SAMPLES, prepare_training, run_step, .size = {32}, .text = MODEL_CNN,
     .budgets = 3},
    {"cnn64_train_b32", BENCH_SAMPLES, prepare_training, run_step, .size = {32},
     .text = MODEL_CNN64, .budgets = 3},
};

const bench_group bench_train_images = BENCH_GROUP("train_images", cases);
