/*
 * save_schedulers.c: for check_schedulers.py, the state of every scheduler, from Tern to PyTorch and back.
 *
 *     save_schedulers FOLDER          saves each after three steps as FOLDER/I.pth
 *     save_schedulers FOLDER load     takes over FOLDER/torch_I.pth
 *
 * Both print the learning rates of the next four steps, a line a scheduler.
 */
#include <stdio.h>

#include "tern/tern.h"

enum { BEFORE = 3, AFTER = 4, PATH_SIZE = 1024 };

/* In the order of check_schedulers.py. */
static const char *const schedulers[] = {
    "StepLR(2)",
    "MultiStepLR([1, 4])",
    "ExponentialLR(0.9)",
    "CosineAnnealingLR(5)",
    "OneCycleLR(0.3, 20)",
    "ReduceLROnPlateau(patience=1)",
    "LinearLR()",
    "LambdaLR('0.9 ** epoch')",
    "SequentialLR([ConstantLR(), ExponentialLR(0.9)], [4])",
    "ChainedScheduler([ExponentialLR(0.9), StepLR(2)])",
    "CyclicLR(0.01, 0.2, step_size_up=2)",
    "CosineAnnealingWarmRestarts(2, 2)",
    "PolynomialLR()",
    "MultiplicativeLR('0.9')",
};

static void run(tern_ctx *ctx, const char *folder, size_t index, bool load) {
    char path[PATH_SIZE];
    tern_optim *optim = tern_optim_new(tern_nn(ctx, "Linear(2, 2)"), "SGD(lr=0.1, momentum=0.9)");
    tern_sched *sched = tern_sched_new(optim, schedulers[index]);
    snprintf(path, sizeof path, "%s/%s%zu.pth", folder, load ? "torch_" : "", index);
    if (load) {
        tern_value state = tern_value_load(ctx, path);
        tern_sched_load_state_dict(sched, tern_dict_get(state, "scheduler"));
        tern_optim_load_state_dict(optim, tern_dict_get(state, "optimizer"));
    } else {
        for (int i = 0; i < BEFORE; i++) tern_sched_step_metric(sched, 1);
        tern_value state = tern_dict_new(ctx, false);
        tern_dict_set(state, "scheduler", tern_sched_state_dict(sched));
        tern_dict_set(state, "optimizer", tern_optim_state_dict(optim));
        tern_value_save(ctx, state, path);
    }
    for (int i = 0; i < AFTER; i++) {
        tern_sched_step_metric(sched, 1);
        printf("%.17g%c", tern_sched_last_lr(sched, 0), i + 1 < AFTER ? ' ' : '\n');
    }
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: save_schedulers FOLDER [load]\n");
        return 2;
    }
    int failed = 0;
    for (size_t i = 0; i < sizeof schedulers / sizeof *schedulers; i++) {
        tern_ctx *ctx = tern_open(NULL);
        run(ctx, argv[1], i, argc > 2);
        if (tern_check(ctx)) fprintf(stderr, "%s: %s\n", schedulers[i], tern_error(ctx));
        failed |= tern_close(ctx) != TERN_OK;
    }
    return failed;
}
