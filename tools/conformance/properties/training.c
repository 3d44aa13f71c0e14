/* Steps of optimizers against the reference's, and what an error before a step leaves alone. */
#include "property.h"

#include "tern/describe.h"
#include "tern/grad.h"
#include "tern/optim.h"

#include <stdio.h>
#include <string.h>

enum { STEPS = 5, PARAMETERS = 3 };

static const char *const optimizers[] = {
    "SGD(lr=0.1)",
    "SGD(lr=0.1, momentum=0.9, dampening=0.1, weight_decay=0.01)",
    "SGD(lr=0.1, momentum=0.9, nesterov=True)",
    "SGD(lr=0.1, maximize=True)",
    "Adam(lr=0.05)",
    "Adam(lr=0.05, amsgrad=True, weight_decay=0.1)",
    "AdamW(lr=0.05, weight_decay=0.1)",
    "NAdam(lr=0.05)",
    "RAdam(lr=0.05)",
    "Adamax(lr=0.05)",
    "Adagrad(lr=0.1, lr_decay=0.01)",
    "Adadelta(lr=1.0)",
    "RMSprop(lr=0.05, momentum=0.5, centered=True)",
    "Rprop(lr=0.05)",
    "ASGD(lr=0.05)",
    "Adafactor(lr=0.05)",
};

typedef struct trainee {
    tern_ctx *ctx;
    tern_optim *optim;
    tern_tensor *parameters[PARAMETERS];
} trainee;

static tern_tensor *drawn_of(property *p, tern_ctx *ctx, const char *what, int number) {
    static const tern_shape shapes[PARAMETERS] = {{2, {3, 5}}, {1, {7}}, {0, {0}}};
    char label[32];
    snprintf(label, sizeof label, "%s %d", what, number);
    return drawn_seed(p, ctx, label, shapes[number % PARAMETERS], p->with.dtype);
}

static bool begin(property *p, tern_ctx *ctx, const char *text, trainee *out) {
    tern_value call = tern_notation_parse(ctx, "an optimizer", text);
    tern_value list = tern_list_new(ctx);
    *out = (trainee){.ctx = ctx};
    for (int i = 0; i < PARAMETERS; i++) {
        out->parameters[i] = tern_requires_grad(drawn_of(p, ctx, "parameter", i), true);
        tern_list_append(list, tern_tensor_value(out->parameters[i]));
    }
    out->optim =
        tern_optim_make(ctx, list, tern_dict_get(call, "module").as.s, tern_dict_get(call, "args"));
    return out->optim != NULL;
}

/* Now and then a parameter has no gradient, so that the numbers of one step differ between them. */
static tern_status step(property *p, trainee *t, int number) {
    for (int i = 0; i < PARAMETERS; i++) {
        bool left_out = number > 0 && (number + i) % 3 == 0;
        tern_tensor *g = drawn_of(p, t->ctx, "gradient", number * PARAMETERS + i);
        tern_set_grad(t->parameters[i], left_out ? NULL : g);
    }
    return tern_optim_step(t->optim);
}

static void check_optimizer(property *p, const char *text) {
    trainee mine, theirs;
    char label[48];
    if (!begin(p, p->reference, text, &theirs)) {
        case_fail(p->t, "the reference: %s", tern_error(p->reference));
        return;
    }
    if (!begin(p, p->device, text, &mine)) return;
    for (int number = 0; number < STEPS && !p->t->failed; number++) {
        if (step(p, &theirs, number) != TERN_OK) {
            case_fail(p->t, "the reference: %s", tern_error(p->reference));
            return;
        }
        if (step(p, &mine, number) != TERN_OK) return;
        for (int i = 0; i < PARAMETERS; i++) {
            snprintf(label, sizeof label, "step %d, parameter %d", number + 1, i);
            property_compare_one(p, label, tern_tensor_value(mine.parameters[i]), p->reference,
                                 tern_tensor_value(theirs.parameters[i]), NEAR_SCALE);
        }
    }
}

/* An error of the device before a step, of which the host does not know yet, keeps the step from being
 * done: parameters stay as they are, and the next step goes on from there. */
static void check_failed_step(property *p, const char *text) {
    trainee mine, theirs;
    int64_t bad = 1000;
    if (!begin(p, p->reference, text, &theirs) || !begin(p, p->device, text, &mine)) return;
    step(p, &theirs, 0);
    step(p, &mine, 0);
    tern_tensor *index = tern_from_data(p->device, &bad, TERN_SHAPE(1), TERN_INT64);
    tern_tensor *poisoned = tern_index_select(tern_detach(mine.parameters[1]), 0, index);
    tern_set_grad(mine.parameters[1], tern_expand(poisoned, TERN_SHAPE(7)));
    if (tern_optim_step(mine.optim) == TERN_OK && tern_check(p->device) == TERN_OK)
        case_fail(p->t, "the error before the step is lost");
    tern_error_clear(p->device);
    for (int again = 0; again < 2; again++) {
        for (int i = 0; i < PARAMETERS; i++)
            property_compare_one(p, again ? "after the next step" : "after the failed step",
                                 tern_tensor_value(mine.parameters[i]), p->reference,
                                 tern_tensor_value(theirs.parameters[i]), NEAR_SCALE);
        step(p, &theirs, 1);
        step(p, &mine, 1);
    }
}

typedef struct optimizer_job {
    property *p;
    const char *text;
    void (*check)(property *p, const char *text);
} optimizer_job;

static void play(test_case *t, void *user) {
    optimizer_job *j = user;
    j->p->t = t;
    tern_scope scope = tern_scope_begin(j->p->reference, 0);
    j->check(j->p, j->text);
    tern_error_clear(j->p->reference);
    tern_scope_end(scope);
}

void run_training(property *p) {
    static const tern_dtype dtypes[] = {TERN_FLOAT32, TERN_FLOAT64, TERN_BFLOAT16};
    char id[REPORT_NAME];
    if (!conformance_begin(p->run, "properties/training")) return;
    p->sample = NULL;
    for (size_t i = 0; i < sizeof optimizers / sizeof optimizers[0]; i++) {
        for (int k = 0; k < 6 && !*p->run->stop; k++) {
            optimizer_job j = {p, optimizers[i], k < 3 ? check_optimizer : check_failed_step};
            p->with = (setting){.seed = p->run->seed, .dtype = dtypes[k % 3]};
            snprintf(id, sizeof id, "%.*s#%d/%s/%s", (int)strcspn(optimizers[i], "("),
                     optimizers[i], (int)i + 1, tern_dtype_name(dtypes[k % 3]),
                     k < 3 ? "steps" : "failed");
            conformance_case(p->run, NULL, tern_none(), id, play, &j);
        }
    }
}
