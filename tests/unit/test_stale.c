/* Handles whose objects are gone, of every age and kind, are refused. */
#define _POSIX_C_SOURCE 200809L /* pthread_barrier_t */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tern/context.h"
#include "tern/data.h"
#include "tern/grad.h"
#include "tern/memory.h"
#include "tern/nn.h"
#include "tern/ops.h"
#include "tern/optim.h"

#define LATER  1000000
#define NEWEST 10000

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open("cpu_ref");
}
static void close_context(void) {
    tern_close(ctx);
    ctx = NULL;
}

TestSuite(stale, .init = open_context, .fini = close_context);

static bool refused(void) {
    bool state = tern_check(ctx) == TERN_ERR_STATE && strstr(tern_error(ctx), "gone") != NULL;
    tern_error_clear(ctx);
    return state;
}

/* Whether the index-th handle is kept: the first and the newest ones, and each thousandth. */
static bool is_kept(size_t index) {
    return index % 1000 == 0 || index + NEWEST >= LATER || index < 1000;
}

Test(stale, tensors_of_every_age_up_to_a_million_later_ones_are_refused, .timeout = 120) {
    const tern_tensor **kept = malloc(LATER * sizeof *kept);
    size_t count = 0, taken = 0;
    float one = 1;
    for (size_t i = 0; i < LATER;) {
        tern_scope s = tern_scope_begin(ctx, 0);
        for (size_t k = 0; k < 100; k++, i++) {
            tern_tensor *t = tern_from_data(ctx, &one, TERN_SCALAR_SHAPE, TERN_FLOAT32);
            if (is_kept(i)) kept[count++] = t;
        }
        tern_scope_end(s);
    }
    cr_assert_eq(tern_check(ctx), TERN_OK);
    for (size_t i = 0; i < count; i++) {
        tern_item(kept[i]);
        taken += !refused();
    }
    cr_assert_eq(taken, 0);
    cr_assert_geq(count, NEWEST + 1000);
    free((void *)kept);
}

Test(stale, lists_and_dicts_of_every_age_are_refused, .timeout = 120) {
    enum { LISTS = 100000 };
    tern_value *kept = malloc(LISTS * sizeof *kept);
    size_t taken = 0;
    for (size_t i = 0; i < LISTS; i++) {
        tern_scope s = tern_scope_begin(ctx, 0);
        kept[i] = i % 2 ? tern_list_new(ctx) : tern_dict_new(ctx, false);
        tern_scope_end(s);
    }
    for (size_t i = 0; i < LISTS; i++) {
        cr_assert_eq(tern_value_count(kept[i]), 0);
        taken += !refused();
    }
    cr_assert_eq(taken, 0);
    cr_assert_eq(tern_list_append(kept[1], tern_int(1)), TERN_ERR_STATE);
    free(kept);
}

Test(stale, a_list_takes_no_stale_tensor) {
    tern_value list = tern_list_new(ctx);
    tern_scope s = tern_scope_begin(ctx, 0);
    tern_tensor *t = tern_ones(ctx, TERN_SHAPE(2), TERN_FLOAT32);
    tern_scope_end(s);
    cr_assert_eq(tern_list_append(list, tern_tensor_value(t)), TERN_ERR_STATE);
    cr_assert(refused());
    cr_assert_eq(tern_value_count(list), 0);
}

typedef struct objects {
    tern_module *module;
    tern_optim *optim;
    tern_sched *sched;
    tern_dataset *dataset;
    tern_sampler *sampler;
    tern_loader *loader;
    tern_generator *generator;
    tern_owner *owner;
} objects;

static objects make(void) {
    objects o;
    tern_tensor *rows = tern_ones(ctx, TERN_SHAPE(4, 2), TERN_FLOAT32);
    o.module = tern_nn(ctx, "Linear(2, 2)");
    o.optim = tern_optim_new(o.module, "SGD(lr=0.1)");
    o.sched = tern_sched_new(o.optim, "StepLR(3)");
    o.dataset = tern_tensor_dataset_new(ctx, &rows, 1);
    o.sampler = tern_sequential_sampler_new(ctx, 4);
    o.loader = tern_loader_new(o.dataset, NULL);
    o.generator = tern_generator_new(ctx);
    o.owner = tern_owner_new(ctx);
    cr_assert_eq(tern_check(ctx), TERN_OK);
    return o;
}

#define REFUSED(call)                                                                              \
    do {                                                                                           \
        (void)(call);                                                                              \
        cr_assert(refused(), "%s", #call);                                                         \
    } while (0)

static void use(objects o) {
    int64_t order[4];
    tern_tensor *batch[1];
    REFUSED(tern_module_zero_grad(o.module));
    REFUSED(tern_forward(o.module, tern_ones(ctx, TERN_SHAPE(1, 2), TERN_FLOAT32)));
    REFUSED(tern_optim_step(o.optim));
    REFUSED(tern_sched_step(o.sched));
    REFUSED(tern_dataset_get(o.dataset, 0, batch));
    REFUSED(tern_sampler_draw(o.sampler, order));
    REFUSED(tern_loader_begin(o.loader));
    REFUSED(tern_generator_next_u32(o.generator));
    REFUSED(tern_rand(ctx, TERN_SHAPE(2), o.generator));
    REFUSED(tern_owner_begin(o.owner, 0).serial);
}

Test(stale, objects_of_all_kinds_are_refused_when_their_scope_has_ended) {
    tern_scope s = tern_scope_begin(ctx, 0);
    objects o = make();
    tern_scope_end(s);
    use(o);
    for (int i = 0; i < 10; i++) { /* their memory is used again */
        s = tern_scope_begin(ctx, 0);
        make();
        tern_scope_end(s);
        use(o);
    }
}

Test(stale, what_an_object_is_made_of_must_be_there) {
    tern_scope s = tern_scope_begin(ctx, 0);
    tern_optim *optim = make().optim;
    tern_dataset *whole = make().dataset;
    tern_scope_end(s);
    cr_assert_null(tern_sched_new(optim, "StepLR(3)"));
    cr_assert(refused());
    cr_assert_null(tern_loader_new(whole, NULL));
    cr_assert(refused());

    objects o = make();
    tern_optim_free(o.optim);
    cr_assert_eq(tern_sched_step(o.sched), TERN_ERR_STATE);
    cr_assert(refused());
}

Test(stale, an_object_that_was_freed_is_refused) {
    objects o = make();
    tern_optim_free(o.optim);
    tern_module_free(o.module);
    tern_owner_free(o.owner);
    REFUSED(tern_optim_step(o.optim));
    REFUSED(tern_module_parameters(o.module));
    REFUSED(tern_owner_begin(o.owner, 0).serial);
}

Test(stale, handles_of_a_closed_context_are_refused) {
    tern_ctx *closed = tern_open("cpu_ref");
    tern_tensor *t = tern_ones(closed, TERN_SHAPE(2), TERN_FLOAT32);
    tern_value list = tern_list_new(closed);
    tern_generator *generator = tern_generator_new(closed);
    tern_close(closed);
    cr_assert(tern_is_nil(t));
    cr_assert_eq(tern_to_host(t, NULL, 0) == TERN_OK, false);
    cr_assert_eq(tern_list_append(list, tern_int(1)), TERN_ERR_STATE);
    cr_assert_eq(tern_generator_next_u32(generator), 0);
    cr_assert(tern_is_nil(tern_rand(ctx, TERN_SHAPE(2), generator)));
    cr_assert_eq(tern_check(ctx), TERN_ERR_STATE);
}

#ifndef NDEBUG
/* ---- two threads in one context, which builds with assertions name --------------------------- */

typedef struct meeting {
    pthread_barrier_t inside, outside;
    char notice[400];
    bool is_nil;
} meeting;

static void note(void *user, tern_log_level level, const char *message) {
    meeting *m = user;
    if (level == TERN_LOG_WARNING) snprintf(m->notice, sizeof m->notice, "%s", message);
}

static void stay(void *user) {
    meeting *m = user;
    pthread_barrier_wait(&m->inside);
    pthread_barrier_wait(&m->outside);
}

static void *intrude(void *user) {
    meeting *m = user;
    pthread_barrier_wait(&m->inside);
    m->is_nil = tern_is_nil(tern_empty(ctx, TERN_SHAPE(2), TERN_FLOAT32));
    pthread_barrier_wait(&m->outside);
    return NULL;
}

Test(stale, a_second_thread_in_a_context_is_refused_and_named) {
    static meeting m;
    pthread_t second;
    pthread_barrier_init(&m.inside, NULL, 2);
    pthread_barrier_init(&m.outside, NULL, 2);
    tern_on_log(note, &m);
    pthread_create(&second, NULL, intrude, &m);
    tern_scope s = tern_scope_begin(ctx, 0);
    tern_defer(ctx, stay, &m);
    tern_scope_end(s);
    pthread_join(second, NULL);
    tern_on_log(NULL, NULL);
    cr_assert(m.is_nil);
    cr_assert_not_null(strstr(m.notice, "is in scope_end"), "%s", m.notice);
    cr_assert_not_null(strstr(m.notice, "called empty"), "%s", m.notice);
    cr_assert_eq(tern_check(ctx), TERN_ERR_STATE);
    cr_assert_not_null(strstr(tern_error(ctx), "two threads at once"));
    tern_error_clear(ctx);
    cr_assert_not(tern_is_nil(tern_empty(ctx, TERN_SHAPE(2), TERN_FLOAT32)));
}

Test(stale, a_context_may_be_handed_from_thread_to_thread) {
    static meeting m;
    pthread_t second;
    pthread_barrier_init(&m.inside, NULL, 1);
    pthread_barrier_init(&m.outside, NULL, 1);
    pthread_create(&second, NULL, intrude, &m);
    pthread_join(second, NULL);
    cr_assert_not(m.is_nil);
    cr_assert_eq(tern_check(ctx), TERN_OK);
}
#endif
