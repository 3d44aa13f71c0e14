/*
 * save_checkpoints.c FOLDER [again]: trains a small network with each optimizer for three steps and
 * saves model, optimizer and scheduler as checkpoints, then takes a fourth step and saves the model.
 * With `again` it goes on from what PyTorch has saved in FOLDER/torch, takes a step and saves the
 * model. check_checkpoints.py runs both and compares with PyTorch.
 */
#include <stdio.h>
#include <string.h>

#include "tern/grad.h"
#include "tern/io.h"
#include "tern/nn.h"
#include "tern/ops.h"
#include "tern/optim.h"

static const char *const optimizers[][2] = {
    {"sgd", "SGD(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)"},
    {"adam", "Adam(lr=0.01)"},
    {"adamw", "AdamW(lr=0.01, amsgrad=True)"},
    {"rmsprop", "RMSprop(lr=0.01, centered=True, momentum=0.5)"},
    {"adagrad", "Adagrad(lr=0.1, lr_decay=0.1)"}};

typedef struct run {
    tern_module *model;
    tern_optim *optim;
    tern_sched *sched;
} run;

static run make(tern_ctx *ctx, const char *optimizer) {
    run r;
    tern_manual_seed(ctx, 42);
    r.model =
        tern_nn(ctx, "Sequential(Linear(3, 4, bias=False), BatchNorm1d(4), ReLU(), Linear(4, 2))");
    r.optim = tern_optim_new(r.model, optimizer);
    r.sched = tern_sched_new(r.optim, "StepLR(step_size=2, gamma=0.5)");
    return r;
}

static void step(tern_ctx *ctx, run *r) {
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_tensor *x = tern_sin(tern_reshape(tern_arange(ctx, 0, 24, 1), TERN_SHAPE(8, 3)));
    tern_tensor *y = tern_cos(tern_reshape(tern_arange(ctx, 0, 16, 1), TERN_SHAPE(8, 2)));
    tern_optim_zero_grad(r->optim);
    tern_backward(tern_mse_loss(tern_forward(r->model, x), y, TERN_MEAN));
    tern_optim_step(r->optim);
    tern_sched_step(r->sched);
    tern_scope_end(scope);
}

static tern_value checkpoint(tern_ctx *ctx, run *r) {
    tern_value v = tern_dict_new(ctx, false);
    tern_dict_set(v, "epoch", tern_int(3));
    tern_dict_set(v, "model", tern_module_state_dict(r->model));
    tern_dict_set(v, "optimizer", tern_optim_state_dict(r->optim));
    tern_dict_set(v, "scheduler", tern_sched_state_dict(r->sched));
    return v;
}

int main(int argc, char **argv) {
    char path[1024];
    tern_ctx *ctx = tern_open(NULL);
    const char *folder = argc > 1 ? argv[1] : ".";
    bool again = argc > 2 && strcmp(argv[2], "again") == 0;
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        run r = make(ctx, optimizers[i][1]);
        snprintf(path, sizeof path, again ? "%s/torch/%s.pth" : "%s/%s.pth", folder,
                 optimizers[i][0]);
        if (again) {
            tern_value v = tern_value_load(ctx, path);
            tern_module_load_state_dict(r.model, tern_dict_get(v, "model"), true);
            tern_optim_load_state_dict(r.optim, tern_dict_get(v, "optimizer"));
            tern_sched_load_state_dict(r.sched, tern_dict_get(v, "scheduler"));
        } else {
            for (int k = 0; k < 3; k++) step(ctx, &r);
            tern_value_save(ctx, checkpoint(ctx, &r), path);
        }
        step(ctx, &r);
        snprintf(path, sizeof path, "%s/%s_%s.pth", folder, optimizers[i][0],
                 again ? "fifth" : "fourth");
        tern_module_save(r.model, path);
        tern_scope_end(scope);
    }
    if (tern_check(ctx)) fprintf(stderr, "%s\n", tern_error(ctx));
    return tern_close(ctx) != TERN_OK;
}
