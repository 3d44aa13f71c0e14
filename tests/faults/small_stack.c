/*
 * small_stack KIB DEVICE FOLDER: trains, saves, loads and inspects in a thread with so small a stack. One that is too
 * small ends the process, by the page that guards it.
 */
#include "tern/tern.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATH_BYTES = 1024 };

static const char *device, *folder;

static void train(tern_ctx *ctx, const char *text, const char *optimizer, tern_shape shape,
                  const char *file) {
    char path[PATH_BYTES];
    tern_scope scope = tern_scope_begin(ctx, 0);
    snprintf(path, sizeof path, "%s/%s", folder, file);
    tern_module *m = tern_nn(ctx, text);
    tern_optim *optim = tern_optim_new(m, optimizer);
    tern_tensor *x = tern_rand(ctx, shape, TERN_FLOAT32);
    for (int i = 0; i < 2; i++) {
        tern_value input = tern_tensor_value(x), out = tern_module_call(m, &input, 1, tern_none());
        if (out.kind == TERN_VALUE_TUPLE) out = tern_value_at(out, 0);
        tern_tensor *loss =
            out.kind == TERN_VALUE_TENSOR ? tern_mean(tern_square(out.as.tensor)) : tern_nil(ctx);
        tern_optim_zero_grad(optim);
        tern_backward(loss);
        tern_optim_step(optim);
    }
    tern_module_save(m, path);
    tern_module_load(m, path);
    tern_value checkpoint = tern_dict_new(ctx, false);
    tern_dict_set(checkpoint, "model", tern_module_state_dict(m));
    tern_dict_set(checkpoint, "optimizer", tern_optim_state_dict(optim));
    snprintf(path, sizeof path, "%s/checkpoint.pth", folder);
    tern_value_save(ctx, checkpoint, path);
    tern_value_load(ctx, path);
    tern_file_inspect(ctx, path);
    tern_module_repr_text(m);
    tern_repr_text(x);
    tern_scope_end(scope);
}

static void *work(void *failed) {
    tern_ctx *ctx = tern_open(device);
    train(
        ctx,
        "Sequential(Linear(3, 8), GELU(), BatchNorm1d(8), Dropout(0.1), Linear(8, 2), Softmax(1))",
        "Adam(lr=0.1)", TERN_SHAPE(4, 3), "m.pth");
    train(ctx,
          "Sequential(Conv2d(1, 4, 3), ReLU(), MaxPool2d(2), GroupNorm(2, 4), Flatten(), "
          "Linear(16, 3))",
          "SGD(lr=0.1, momentum=0.9)", TERN_SHAPE(2, 1, 6, 6), "m.safetensors");
    train(ctx, "LSTM(3, 4, num_layers=2, bidirectional=True)", "RMSprop()", TERN_SHAPE(3, 2, 3),
          "m.npz");
    train(ctx, "TransformerEncoder(TransformerEncoderLayer(4, 2, 8), 2)", "AdamW()",
          TERN_SHAPE(2, 2, 4), "m.pth");
    tern_tensor *x = tern_rand(ctx, TERN_SHAPE(3, 3), TERN_FLOAT32);
    if (tern_check(ctx)) fprintf(stderr, "small_stack: %s\n", tern_error(ctx));
    *(bool *)failed = tern_check(ctx) != TERN_OK;
    tern_matmul(
        x, tern_ones(ctx, TERN_SHAPE(7, 7), TERN_FLOAT32)); /* an error is told there as well */
    *(bool *)failed |= tern_check(ctx) == TERN_OK;
    tern_close(ctx);
    return NULL;
}

int main(int argc, char **argv) {
    pthread_attr_t attributes;
    pthread_t thread;
    bool failed = true;
    if (argc != 4) {
        fprintf(stderr, "usage: small_stack KIB DEVICE FOLDER\n");
        return 2;
    }
    size_t bytes = (size_t)atoi(argv[1]) << 10;
    device = argv[2];
    folder = argv[3];
    if (pthread_attr_init(&attributes) || pthread_attr_setstacksize(&attributes, bytes) ||
        pthread_create(&thread, &attributes, work, &failed) || pthread_join(thread, NULL)) {
        fprintf(stderr, "small_stack: no thread with a stack of %s KiB\n", argv[1]);
        return 2;
    }
    printf("%s works in %zu KiB\n", device, bytes >> 10);
    return failed;
}
