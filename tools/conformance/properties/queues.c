/* Work in order: temporaries that are freed while it is queued, uploads beside it, contexts beside each
 * other, and threads. */
#include "property.h"

#include "tern/grad.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* ---- one context ----------------------------------------------------------------------------- */

/* Every step makes temporaries, which die while the work that uses them is queued. */
static void temporaries(property *p) {
    tern_tensor *x = counted(p->device, TERN_SHAPE(5, 13), TERN_FLOAT32, 0, 1);
    double right[65];
    for (int i = 0; i < 65; i++) right[i] = i;
    for (int step = 0; step < 120; step++) {
        tern_scope scope = tern_scope_begin(p->device, 0);
        tern_tensor *y = tern_mul_scalar(tern_add_scalar(x, 3), 2);
        y = tern_sub(y, tern_mul_scalar(x, 1));
        tern_update(&x, tern_sub_scalar(y, 5));
        tern_scope_end(scope);
        for (int i = 0; i < 65; i++) right[i] = (right[i] + 3) * 2 - right[i] - 5;
    }
    expect_doubles(p, "the sum", x, right, 65);
}

/* Uploads run beside kernels, and the memory they came from changes at once. */
static void uploads_beside_work(property *p) {
    float batch[257];
    double right[257] = {0};
    tern_tensor *sum = tern_zeros(p->device, TERN_SHAPE(257), TERN_FLOAT32);
    for (int step = 0; step < 60; step++) {
        tern_scope scope = tern_scope_begin(p->device, 0);
        for (int i = 0; i < 257; i++) {
            batch[i] = (float)(i * (step % 5) - step);
            right[i] = right[i] + 2.0 * (double)batch[i];
        }
        tern_tensor *x =
            tern_from_data_async(p->device, batch, TERN_SHAPE(257), TERN_FLOAT32, NULL);
        memset(batch, 0x7f, sizeof batch);
        tern_add_in_place(sum, tern_mul_scalar(x, 2));
        tern_scope_end(scope);
    }
    expect_doubles(p, "the sum", sum, right, 257);
}

/* A synchronous upload is used by what comes next. */
static void uploads_before_work(property *p) {
    for (int step = 0; step < 40 && !p->t->failed; step++) {
        float batch[19];
        double right[19];
        tern_scope scope = tern_scope_begin(p->device, 0);
        for (int i = 0; i < 19; i++) batch[i] = (float)(i * step);
        for (int i = 0; i < 19; i++) right[i] = i * step + 1;
        tern_tensor *x = tern_from_data(p->device, batch, TERN_SHAPE(19), TERN_FLOAT32);
        memset(batch, 0, sizeof batch);
        tern_tensor *y = tern_add_scalar(x, 1);
        tern_drop(x);
        expect_doubles(p, "one more", y, right, 19);
        tern_scope_end(scope);
    }
}

/* Writes through overlapping views, in order. */
static void writes_in_order(property *p) {
    tern_tensor *base = tern_zeros(p->device, TERN_SHAPE(40), TERN_INT64);
    double right[40] = {0};
    stream s = stream_of("writes", p->with.seed, 0);
    for (int step = 0; step < 200; step++) {
        int start = (int)stream_below(&s, 30), length = 1 + (int)stream_below(&s, 10);
        tern_scope scope = tern_scope_begin(p->device, 0);
        tern_tensor *view = tern_narrow(base, 0, start, length);
        if (step % 3 == 0)
            tern_fill_in_place(view, step);
        else
            tern_add_scalar_in_place(view, step % 7);
        for (int i = start; i < start + length; i++)
            right[i] = step % 3 == 0 ? step : right[i] + step % 7;
        tern_scope_end(scope);
    }
    expect_doubles(p, "the base", base, right, 40);
}

/* A download sees what was queued before it, and nothing of what comes after. */
static void downloads_between(property *p) {
    tern_tensor *x = tern_zeros(p->device, TERN_SHAPE(9), TERN_FLOAT32);
    for (int step = 1; step < 40 && !p->t->failed; step++) {
        float now[9];
        tern_add_scalar_in_place(x, 1);
        if (tern_to_host(x, now, sizeof now) != TERN_OK) return;
        tern_add_scalar_in_place(x, 1);
        for (int i = 0; i < 9; i++)
            if (now[i] != (float)(2 * step - 1))
                case_fail(p->t, "step %d reads %g, expected %d", step, (double)now[i],
                          2 * step - 1);
    }
}

/* Weights that an owner holds are constant in inference; between two passes they change. */
static void constants(property *p) {
    tern_owner *owner = tern_owner_new(p->device);
    tern_scope made = tern_owner_begin(owner, 0);
    tern_tensor *weight = counted(p->device, TERN_SHAPE(3, 4), TERN_FLOAT32, 0, 1);
    tern_tensor *bias = counted(p->device, TERN_SHAPE(4), TERN_FLOAT32, 0, 1);
    tern_scope_end(made);
    tern_tensor *x = tern_ones(p->device, TERN_SHAPE(2, 3), TERN_FLOAT32);
    for (int pass = 0; pass < 12 && !p->t->failed; pass++) {
        double right[8];
        for (int i = 0; i < 8; i++) {
            int column = i % 4;
            right[i] = 3 * column + 12 + 3 * pass + column + 2 * pass;
        }
        for (int again = 0; again < 2; again++) {
            tern_scope inference = tern_scope_begin(p->device, TERN_INFERENCE);
            tern_tensor *y = tern_add(tern_matmul(x, weight), bias);
            expect_doubles(p, "a pass", y, right, 8);
            tern_scope_end(inference);
        }
        tern_scope changed = tern_scope_begin(p->device, TERN_NO_GRAD);
        if (pass % 2) {
            float now[12];
            for (int i = 0; i < 12; i++) now[i] = (float)(i + pass + 1);
            tern_write_host(weight, now, sizeof now);
        } else {
            tern_add_scalar_in_place(weight, 1);
        }
        tern_add_scalar_in_place(bias, 2);
        tern_scope_end(changed);
    }
    tern_owner_free(owner);
}

/* The numbers of a call change, its tensors stay. */
static void numbers(property *p) {
    tern_tensor *x = counted(p->device, TERN_SHAPE(9), TERN_FLOAT32, 0, 1);
    for (int step = 1; step < 25 && !p->t->failed; step++) {
        double right[9];
        tern_scope scope = tern_scope_begin(p->device, 0);
        for (int i = 0; i < 9; i++) {
            double y = i + step > 20 ? 20 : i + step;
            right[i] = y * step - 2 * step;
        }
        tern_tensor *y = tern_clamp(tern_add_scalar(x, step), -100, 20);
        y = tern_add_alpha(tern_mul_scalar(y, step), tern_ones_like(x), -2 * step);
        expect_doubles(p, "with other numbers", y, right, 9);
        tern_scope_end(scope);
    }
}

/* ---- churn ----------------------------------------------------------------------------------- */

enum { POOL = 24, MOST_ELEMENTS = 40 };

typedef struct tracked {
    tern_tensor *tensor;
    int count;
    double right[MOST_ELEMENTS];
} tracked;

static void make_tracked(property *p, stream *s, tracked *t) {
    float data[MOST_ELEMENTS];
    t->count = 1 + (int)stream_below(s, stream_below(s, 3) ? 6 : MOST_ELEMENTS);
    for (int i = 0; i < t->count; i++) t->right[i] = (double)stream_below(s, 1000);
    for (int i = 0; i < t->count; i++) data[i] = (float)t->right[i];
    tern_shape shape = {1, {t->count}};
    t->tensor = stream_below(s, 2)
                    ? tern_from_data_async(p->device, data, shape, TERN_FLOAT32, NULL)
                    : tern_from_data(p->device, data, shape, TERN_FLOAT32);
}

static void change_tracked(stream *s, tracked *t, const tracked *other) {
    int both = t->count < other->count ? t->count : other->count;
    tern_tensor *mine = tern_narrow(t->tensor, 0, 0, both);
    tern_tensor *theirs = tern_narrow(other->tensor, 0, other->count - both, both);
    switch (stream_below(s, 3)) {
    case 0:
        tern_add_scalar_in_place(t->tensor, 1);
        for (int i = 0; i < t->count; i++) t->right[i] += 1;
        break;
    case 1:
        if (t == other) return;
        tern_copy_in_place(mine, theirs);
        for (int i = 0; i < both; i++) t->right[i] = other->right[other->count - both + i];
        break;
    default:
        if (t == other) return;
        tern_sub_in_place(mine, theirs);
        for (int i = 0; i < both; i++) t->right[i] -= other->right[other->count - both + i];
    }
}

/* Small tensors made, changed, copied and dropped in any order: each keeps its own numbers. */
static void churn(property *p) {
    static tracked pool[POOL];
    stream s = stream_of("churn", p->with.seed, (uint64_t)p->part);
    for (int i = 0; i < POOL; i++) make_tracked(p, &s, &pool[i]);
    for (int step = 0; step < 300 && !p->t->failed; step++) {
        tracked *t = &pool[stream_below(&s, POOL)], *other = &pool[stream_below(&s, POOL)];
        switch (stream_below(&s, 4)) {
        case 0:
            tern_drop(t->tensor);
            make_tracked(p, &s, t);
            break;
        case 1: expect_doubles(p, "one of them", t->tensor, t->right, (size_t)t->count); break;
        default: change_tracked(&s, t, other);
        }
    }
    for (int i = 0; i < POOL && !p->t->failed; i++)
        expect_doubles(p, "in the end", pool[i].tensor, pool[i].right, (size_t)pool[i].count);
}

static void churn_again(property *p) {
    p->part = 1;
    churn(p);
    p->part = 0;
}

/* ---- graphs ---------------------------------------------------------------------------------- */

/* d/dx of x * x * 3 over and over: 6 x, with graphs that are freed while their work is queued. */
static void graphs(property *p) {
    double right[21];
    for (int i = 0; i < 21; i++) right[i] = 0;
    tern_tensor *x = counted(p->device, TERN_SHAPE(3, 7), TERN_FLOAT32, 0, 1);
    tern_requires_grad(x, true);
    for (int step = 0; step < 25; step++) {
        tern_scope scope = tern_scope_begin(p->device, 0);
        tern_backward(tern_sum(tern_mul_scalar(tern_mul(x, x), 3)));
        tern_scope_end(scope);
        for (int i = 0; i < 21; i++) right[i] += 6 * i;
    }
    if (tern_grad_of(x)) expect_doubles(p, "the gradient", tern_grad_of(x), right, 21);
}

/* ---- several contexts ------------------------------------------------------------------------ */

/* A little model of a workload: after `steps` each element is what `right` says. */
static tern_tensor *advance(tern_tensor *x, int salt) {
    tern_tensor *y = tern_add_scalar(x, salt);
    return tern_sub(tern_mul_scalar(y, 2), x);
}

static bool holds(tern_tensor *x, int count, double start, double step, double added) {
    double got[64];
    if (tern_to_doubles(x, got, (size_t)count) != TERN_OK) return false;
    for (int i = 0; i < count; i++)
        if (got[i] != start + step * i + added) return false;
    return true;
}

static void two_contexts(property *p) {
    tern_ctx *other = tern_open(tern_device_name(p->device));
    tern_tensor *a = counted(p->device, TERN_SHAPE(31), TERN_FLOAT32, 1, 1);
    tern_tensor *b = counted(other, TERN_SHAPE(17), TERN_FLOAT32, 100, -1);
    for (int i = 0; i < 30; i++) {
        a = advance(a, 1);
        b = advance(b, 2);
    }
    if (!holds(a, 31, 1, 1, 60)) case_fail(p->t, "this context's tensor holds other numbers");
    if (!holds(b, 17, 100, -1, 120)) case_fail(p->t, "the other's tensor holds other numbers");
    tern_tensor *mixed = tern_add(a, b);
    if (!tern_is_nil(mixed)) case_fail(p->t, "tensors of two contexts were added");
    tern_error_clear(p->device);
    tern_error_clear(other);
    if (!holds(b, 17, 100, -1, 120)) case_fail(p->t, "an error here reached the other context");
    if (tern_close(other) != TERN_OK) case_fail(p->t, "the other context closed with an error");
    if (!holds(a, 31, 1, 1, 60)) case_fail(p->t, "closing the other context changed a tensor here");
}

/* A context is closed while its work is queued, and another goes on. */
static void closed_in_the_middle(property *p) {
    tern_tensor *a = counted(p->device, TERN_SHAPE(31), TERN_FLOAT32, 1, 1);
    for (int i = 0; i < 8; i++) {
        tern_ctx *other = tern_open(tern_device_name(p->device));
        tern_tensor *b = counted(other, TERN_SHAPE(17), TERN_FLOAT32, 0, 1);
        for (int k = 0; k < 10; k++) b = advance(b, k);
        a = advance(a, 1);
        if (tern_close(other) != TERN_OK) case_fail(p->t, "a context closed with an error");
    }
    if (!holds(a, 31, 1, 1, 16)) case_fail(p->t, "the tensor holds other numbers");
}

typedef struct worker {
    const char *device;
    int salt;
    bool ok;
    char what[200];
} worker;

static void *work(void *user) {
    worker *w = user;
    tern_ctx *ctx = tern_open(w->device);
    tern_tensor *x = counted(ctx, TERN_SHAPE(37), TERN_FLOAT32, w->salt, 1);
    w->ok = true;
    for (int i = 0; i < 150 && w->ok; i++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_update(&x, advance(x, w->salt));
        tern_scope_end(scope);
        if (i % 10 == 9) w->ok = holds(x, 37, w->salt, 1, 2.0 * w->salt * (i + 1));
    }
    if (tern_check(ctx) != TERN_OK) w->ok = false;
    snprintf(w->what, sizeof w->what, "%s", tern_error(ctx));
    tern_close(ctx);
    return NULL;
}

static void two_threads(property *p) {
    worker workers[2] = {{.device = tern_device_name(p->device), .salt = 1},
                         {.device = tern_device_name(p->device), .salt = 3}};
    pthread_t threads[2];
    int started = 0;
    while (started < 2 && pthread_create(&threads[started], NULL, work, &workers[started]) == 0)
        started++;
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < started; i++)
        if (!workers[i].ok)
            case_fail(p->t, "a thread's tensor holds other numbers: %s", workers[i].what);
}

/* ---- errors ---------------------------------------------------------------------------------- */

/* A bad index amid other work: it is latched, what was right stays, and later work is right again. */
static void error_amid_work(property *p) {
    for (int turn = 0; turn < 5 && !p->t->failed; turn++) {
        tern_scope scope = tern_scope_begin(p->device, 0);
        double right[12];
        int64_t bad[] = {0, 3, 99};
        for (int i = 0; i < 12; i++) right[i] = i + turn;
        tern_tensor *x = counted(p->device, TERN_SHAPE(12), TERN_FLOAT32, turn, 1);
        tern_tensor *index = tern_from_data(p->device, bad, TERN_SHAPE(3), TERN_INT64);
        tern_index_select(x, 0, index);
        tern_tensor *after = tern_add_scalar(x, 1);
        (void)after;
        if (tern_synchronize(p->device) == TERN_OK) case_fail(p->t, "the bad index is not latched");
        tern_error_clear(p->device);
        expect_doubles(p, "the input", x, right, 12);
        for (int i = 0; i < 12; i++) right[i] *= 2;
        expect_doubles(p, "later work", tern_mul_scalar(x, 2), right, 12);
        tern_scope_end(scope);
    }
}

void run_queues(property *p) {
    static const scene scenes[] = {{"temporaries", temporaries},
                                   {"uploads_beside_work", uploads_beside_work},
                                   {"uploads_before_work", uploads_before_work},
                                   {"writes_in_order", writes_in_order},
                                   {"downloads_between", downloads_between},
                                   {"constants", constants},
                                   {"numbers", numbers},
                                   {"churn#1", churn},
                                   {"churn#2", churn_again},
                                   {"graphs", graphs},
                                   {"two_contexts", two_contexts},
                                   {"closed_in_the_middle", closed_in_the_middle},
                                   {"two_threads", two_threads},
                                   {"error_amid_work", error_amid_work}};
    run_scenes(p, "properties/queues", scenes, sizeof scenes / sizeof scenes[0]);
}
