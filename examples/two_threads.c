/*
 * two_threads.c: two threads answer with one model.
 *
 *     two_threads xor.pth             weights of Sequential(Linear(2, 8), Tanh(), Linear(8, 1), Sigmoid())
 *
 * A context belongs to one thread, so each thread opens its own. What they share is the weights: both
 * map the same file, whose pages lie in memory once, however many threads or programs use them.
 */
#include <pthread.h>
#include <stdio.h>

#include "tern/tern.h"

enum { THREADS = 2, QUESTIONS = 8 };

static const float questions[QUESTIONS][2] = {{0, 0}, {0, 1},    {1, 0},    {1, 1},
                                              {1, 0}, {0.1f, 0}, {0, 0.9f}, {1, 1}};

typedef struct worker {
    const char *path;
    int first, count;          /* its share of the questions */
    double answers[QUESTIONS]; /* of that share */
    char error[256];           /* "" where all went well */
} worker;

/* A weight of the state dict; latches an error where there is none. */
static tern_tensor *weight(tern_ctx *ctx, tern_value state, const char *name) {
    tern_value entry = tern_dict_get(state, name);
    if (entry.kind == TERN_VALUE_TENSOR) return entry.as.tensor;
    tern_fail(ctx, TERN_ERR_FORMAT, "the file has no tensor '%s'", name);
    return tern_nil(ctx);
}

static void *work(void *argument) {
    worker *w = argument;
    tern_ctx *ctx = tern_open(NULL);
    tern_scope inference = tern_scope_begin(ctx, TERN_INFERENCE);
    tern_value state = tern_value_map(ctx, w->path); /* torch.load(path, mmap=True) */
    tern_tensor *weight_0 = weight(ctx, state, "0.weight"), *bias_0 = weight(ctx, state, "0.bias");
    tern_tensor *weight_2 = weight(ctx, state, "2.weight"), *bias_2 = weight(ctx, state, "2.bias");
    for (int i = 0; i < w->count && tern_check(ctx) == TERN_OK; i++) {
        tern_scope step = tern_scope_begin(ctx, 0);
        tern_tensor *x =
            tern_from_data(ctx, questions[w->first + i], TERN_SHAPE(1, 2), TERN_FLOAT32);
        tern_tensor *hidden = tern_tanh(tern_linear(x, weight_0, bias_0));
        w->answers[i] = tern_item(tern_sigmoid(tern_linear(hidden, weight_2, bias_2)));
        tern_scope_end(step);
    }
    tern_scope_end(inference);
    /* An error stays in the context of its thread; whoever asked is told here. */
    if (tern_check(ctx)) snprintf(w->error, sizeof w->error, "%s", tern_error(ctx));
    tern_close(ctx);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: two_threads xor.pth\n");
        return 2;
    }
    worker workers[THREADS] = {{0}};
    pthread_t threads[THREADS];
    int started = 0, failed = 0;
    for (; started < THREADS; started++) {
        worker *w = &workers[started];
        w->path = argv[1];
        w->count = QUESTIONS / THREADS;
        w->first = started * w->count;
        if (pthread_create(&threads[started], NULL, work, w) != 0) break;
    }
    for (int t = 0; t < started; t++) pthread_join(threads[t], NULL);
    if (started < THREADS) {
        fprintf(stderr, "two_threads: a thread could not be started\n");
        return 1;
    }
    for (int t = 0; t < THREADS; t++) {
        const worker *w = &workers[t];
        if (w->error[0]) {
            fprintf(stderr, "two_threads: %s\n", w->error);
            failed = 1;
        }
        for (int i = 0; i < w->count && !w->error[0]; i++)
            printf("thread %d: %g xor %g = %.4f\n", t, (double)questions[w->first + i][0],
                   (double)questions[w->first + i][1], w->answers[i]);
    }
    return failed;
}
