/* A program of somebody else's: 1 + 2 on the device of TERN_DEVICE. */
#include <stdio.h>

#include "tern/tern.h"

int main(void) {
    tern_ctx *ctx = tern_open(NULL);
    tern_tensor *sum = tern_add(tern_full(ctx, TERN_SHAPE(1), 1.0, TERN_FLOAT32),
                                tern_full(ctx, TERN_SHAPE(1), 2.0, TERN_FLOAT32));
    printf("%g\n", tern_item(sum));
    if (tern_check(ctx)) fprintf(stderr, "%s\n", tern_error(ctx));
    return tern_close(ctx) != TERN_OK;
}
