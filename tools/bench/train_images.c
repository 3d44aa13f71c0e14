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

static size_t next_batch(bench_subject *s, tern_tensor **out) {
    int64_t batch = s->size[0], all = tern_size(s->session->images, 0) / batch;
    int64_t first = s->batch++ % (all < BATCHES ? all : BATCHES) * batch;
    out[0] = s->a = tern_narrow(s->session->images, 0, first, batch);
    out[1] = s->target = tern_narrow(s->session->labels, 0, first, batch);
    return 2;
}

static void run_step(bench_subject *s) {
    tern_optim_zero_grad(s->optim);
    s->results[0] = tern_cross_entropy(tern_forward(s->model, s->a), s->target, TERN_MEAN);
    tern_backward(s->results[0]);
    tern_optim_step(s->optim);
}

#define TRAINING(name, batch, model, more)                                                         \
    {                                                                                              \
        name, BENCH_SAMPLES, prepare_training, run_step, next_batch,                               \
            .size = {batch}, .text = model, .flags = more, .budgets = 3                            \
    }

static const bench_case cases[] = {
    TRAINING("mlp_train_b64", 64, MODEL_MLP, 0),
    TRAINING("mlp_train_b64_replayed", 64, MODEL_MLP, BENCH_REPLAYED),
    TRAINING("cnn_train_b32", 32, MODEL_CNN, 0),
    TRAINING("cnn_train_b32_replayed", 32, MODEL_CNN, BENCH_REPLAYED),
    TRAINING("cnn64_train_b32", 32, MODEL_CNN64, 0),
};

const bench_group bench_train_images = BENCH_GROUP("train_images", cases);
