/*
 * two_threads.c: two threads answer with one model.
 *
 *     two_threads xor.pth             weights of Sequential(Linear(2, 8), Tanh(), Linear(8, 1), Sigmoid())
 *
 * A context belongs to one thread, so each thread opens its own and makes the module there. What they
 * share is the weights, which lie in memory once.
 */
#include <pthread.h>
#include <stdio.h>

#include "tern/tern.h"

enum { THREADS = 2, QUESTIONS = 8 };

static const char notation[] = "Sequential(Linear(2, 8), Tanh(), Linear(8, 1), Sigmoid())";

static const float questions[QUESTIONS][2] = {{0, 0}, {0, 1},    {1, 0},    {1, 1},
                                              {1, 0}, {0.1f, 0}, {0, 0.9f}, {1, 1}};

typedef struct worker {
    tern_weights *weights;
    int first, count;          /* its share of the questions */
    double answers[QUESTIONS]; /* of that share */
    char error[256];           /* "" where all went well */
} worker;

static void *work(void *argument) {
    worker *w = argument;
    tern_ctx *ctx = tern_open(NULL);
    tern_module *model = tern_nn(ctx, notation);
    tern_weights_use(w->weights, model);
    for (int i = 0; i < w->count && tern_check(ctx) == TERN_OK; i++) {
        tern_scope step = tern_scope_begin(ctx, TERN_INFERENCE);
        tern_tensor *x =
            tern_from_data(ctx, questions[w->first + i], TERN_SHAPE(1, 2), TERN_FLOAT32);
        w->answers[i] = tern_item(tern_forward(model, x));
        tern_scope_end(step);
    }
    /* An error stays in the context of its thread; whoever asked is told here. */
    if (tern_check(ctx)) snprintf(w->error, sizeof w->error, "%s", tern_error(ctx));
    tern_close(ctx);
    return NULL;
}

/* Starts the threads and waits for their answers; false where one could not be started. */
static bool ask(tern_weights *weights, worker workers[THREADS]) {
    pthread_t threads[THREADS];
    int started = 0;
    for (; started < THREADS; started++) {
        worker *w = &workers[started];
        w->weights = weights;
        w->count = QUESTIONS / THREADS;
        w->first = started * w->count;
        if (pthread_create(&threads[started], NULL, work, w) != 0) break;
    }
    for (int t = 0; t < started; t++) pthread_join(threads[t], NULL);
    return started == THREADS;
}

static bool print_answers(const worker *w, int thread) {
    if (w->error[0]) fprintf(stderr, "two_threads: %s\n", w->error);
    for (int i = 0; i < w->count && !w->error[0]; i++)
        printf("thread %d: %g xor %g = %.4f\n", thread, (double)questions[w->first + i][0],
               (double)questions[w->first + i][1], w->answers[i]);
    return !w->error[0];
}

int main(int argc, char **argv) {
    worker workers[THREADS] = {{0}};
    if (argc != 2) {
        fprintf(stderr, "usage: two_threads xor.pth\n");
        return 2;
    }
    tern_ctx *ctx = tern_open(NULL);
    tern_module *model = tern_nn(ctx, notation);
    tern_module_load(model, argv[1]);
    tern_weights *weights = tern_weights_new(model);
    bool good = weights != NULL;
    if (good && !ask(weights, workers)) {
        fprintf(stderr, "two_threads: a thread could not be started\n");
        good = false;
    }
    for (int t = 0; good && t < THREADS; t++) good = print_answers(&workers[t], t);
    if (tern_check(ctx)) fprintf(stderr, "two_threads: %s\n", tern_error(ctx));
    tern_weights_free(weights);
    return tern_close(ctx) != TERN_OK || !good;
}
