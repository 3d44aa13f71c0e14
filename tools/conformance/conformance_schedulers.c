/* schedulers: the learning rate (and momentum) of every step, in double. */
#include "arguments.h"
#include "conformance.h"

#include "tern/grad.h"
#include "tern/io.h"
#include "tern/optim.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_SIZE = 4096, ID_SIZE = 32 };

static tern_tensor *no_tensors(void *user, const char *name, const char *argument) {
    test_case *t = user;
    tern_fail(t->run->ctx, TERN_ERR_FORMAT, "'%s' of '@%s': a scheduler takes no tensors", argument,
              name);
    return NULL;
}

static void check_rates(test_case *t, const tern_optim *optim, const char *option,
                        tern_value wanted, size_t step) {
    for (size_t g = 0; g < tern_value_count(wanted); g++) {
        double right = tern_value_as_double(tern_value_at(wanted, g));
        double got = tern_value_as_double(tern_optim_get(optim, g, option));
        if (!(fabs(got - right) <= 1e-12 * fabs(right)))
            case_fail(t, "%s of group %zu after %zu steps is %.17g, expected %.17g", option, g,
                      step, got, right);
    }
}

/* An SGD optimizer over one number a group, with the case's learning rates. */
static tern_optim *make_scheduled(test_case *t) {
    tern_ctx *ctx = t->run->ctx;
    tern_value rates = tern_dict_get(t->json, "base_lr"), groups = tern_list_new(ctx);
    tern_value args = tern_dict_get(t->json, "optimizer_args");
    tern_shape one = {1, {1}};
    for (size_t g = 0; g < tern_value_count(rates); g++) {
        tern_value group = tern_dict_new(ctx, false), members = tern_list_new(ctx);
        tern_tensor *p = tern_requires_grad(tern_empty(ctx, one, TERN_FLOAT32), true);
        tern_list_append(members, tern_tensor_value(p));
        tern_dict_set(group, "params", members);
        tern_dict_set(group, "lr", tern_value_at(rates, g));
        tern_list_append(groups, group);
    }
    return tern_optim_make(ctx, groups, tern_dict_get(t->json, "optimizer").as.s, args);
}

static bool has_scheduler(const char *name) {
    const char *known;
    for (size_t i = 0; (known = tern_sched_name_at(i)) != NULL; i++)
        if (strcmp(known, name) == 0) return true;
    return false;
}

/* Whether Tern has the scheduler, and those inside it. */
static bool has_all(tern_value described) {
    tern_value inner = tern_dict_get(tern_dict_get(described, "args"), "schedulers");
    if (!has_scheduler(tern_dict_get(described, "name").as.s)) return false;
    for (size_t i = 0; i < tern_value_count(inner); i++)
        if (!has_all(tern_value_at(inner, i))) return false;
    return true;
}

static void run_scheduler(test_case *t, void *user) {
    (void)user;
    tern_ctx *ctx = t->run->ctx;
    if (!has_all(t->json)) {
        t->skip = NOT_IMPLEMENTED;
        return;
    }
    tern_optim *optim = make_scheduled(t);
    tern_value args = call_arguments(ctx, tern_dict_get(t->json, "args"), no_tensors, t);
    tern_value rates = tern_dict_get(t->json, "lr"), metrics = tern_dict_get(t->json, "metrics");
    tern_value momenta = tern_dict_get(t->json, "momentum");
    tern_sched *sched = tern_sched_make(optim, tern_dict_get(t->json, "name").as.s, args);
    for (size_t step = 0; step < tern_value_count(rates) && !tern_error(ctx)[0]; step++) {
        if (step > 0 && tern_dict_has(t->json, "metrics"))
            tern_sched_step_metric(sched, tern_value_as_double(tern_value_at(metrics, step - 1)));
        else if (step > 0)
            tern_sched_step(sched);
        check_rates(t, optim, "lr", tern_value_at(rates, step), step);
        check_rates(t, optim, "momentum", tern_value_at(momenta, step), step);
    }
}

/* Cases have no ids in this file: they are numbered in order. */
static void run_list(conformance *run, tern_value cases) {
    for (size_t i = 0; i < tern_value_count(cases) && !*run->stop; i++) {
        char id[ID_SIZE];
        tern_value test = tern_value_at(cases, i);
        snprintf(id, sizeof id, "%zu", i);
        conformance_case(run, NULL, test, id, run_scheduler, NULL);
    }
}

void run_schedulers(conformance *run) {
    char path[PATH_SIZE];
    struct stat status;
    snprintf(path, sizeof path, "%s/schedulers.json", run->folder);
    if (stat(path, &status) != 0 || !conformance_begin(run, "schedulers")) return;
    tern_scope scope = tern_scope_begin(run->ctx, 0);
    tern_value cases = tern_json_load(run->ctx, path);
    if (tern_check(run->ctx) != TERN_OK) conformance_fail_file(run);
    run_list(run, cases);
    tern_scope_end(scope);
}
