#include "task.h"

#include "tern/ops.h"

#include <string.h>

/* Whether a loss in PyTorch's notation, "nn.MSELoss()" or "MSELoss()", is of that class. */
static bool has_name(const char *loss, const char *name) {
    size_t end = strcspn(loss, "( "), begin = end;
    while (begin > 0 && loss[begin - 1] != '.') begin--;
    return strlen(name) == end - begin && strncmp(loss + begin, name, end - begin) == 0;
}

task_kind task_kind_of(const recipe *r) {
    static const struct {
        const char *loss;
        task_kind kind;
    } kinds[] = {
        {"CrossEntropyLoss", TASK_CLASSES}, {"NLLLoss", TASK_CLASSES},
        {"BCEWithLogitsLoss", TASK_BINARY}, {"BCELoss", TASK_BINARY},
        {"MSELoss", TASK_REGRESSION},       {"L1Loss", TASK_REGRESSION},
        {"SmoothL1Loss", TASK_REGRESSION},  {"HuberLoss", TASK_REGRESSION},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (has_name(r->loss, kinds[i].loss)) return kinds[i].kind;
    return TASK_OTHER;
}

task task_of(const recipe *r, tern_value facts) {
    task t = {.kind = task_kind_of(r), .deviation = 1};
    t.logits = has_name(r->loss, "BCEWithLogitsLoss");
    if (t.kind == TASK_REGRESSION && tern_dict_has(facts, "target_mean")) {
        t.mean = tern_value_as_double(tern_dict_get(facts, "target_mean"));
        t.deviation = tern_value_as_double(tern_dict_get(facts, "target_deviation"));
    }
    return t;
}

tern_tensor *task_predicted(const task *t, tern_tensor *output) {
    if (t->kind == TASK_BINARY && t->logits) return tern_sigmoid(output);
    return task_target(t, output);
}

tern_tensor *task_target(const task *t, tern_tensor *targets) {
    if (t->mean == 0 && t->deviation == 1) return targets;
    return tern_add_scalar(tern_mul_scalar(targets, t->deviation), t->mean);
}
