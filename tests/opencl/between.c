/*
 * tern_opencl_between: tensors go from one device of OpenCL to another and back with the same bytes, whole or in
 * part, behind the work that makes them and before the work that changes them. Status 77 where there is one device.
 */
#include <stdio.h>
#include <string.h>

#include "tern/tern.h"

enum { ROUNDS = 20, SIZE = 5000 };

/* Numbers that take a while to make, moved while they are made; then the source is overwritten at once. */
static bool round_trip(tern_ctx *ctx, int round) {
    static float there[SIZE], back[SIZE];
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_tensor *x = tern_full(ctx, TERN_SHAPE(SIZE), round, TERN_FLOAT32);
    for (int i = 0; i < 10; i++) x = tern_add_scalar(x, 1);
    tern_tensor *part = tern_narrow(x, 0, 7, SIZE - 7);
    tern_tensor *moved = tern_to_device(part, "opencl:1");
    tern_mul_scalar_in_place(x, 0);
    tern_tensor *doubled = tern_mul_scalar(moved, 2);
    tern_tensor *again = tern_to_device(doubled, "opencl:0");
    bool worked = tern_to_host(moved, there, (SIZE - 7) * sizeof *there) == TERN_OK &&
                  tern_to_host(again, back, (SIZE - 7) * sizeof *back) == TERN_OK;
    for (int i = 0; worked && i < SIZE - 7; i++)
        worked = there[i] == (float)(round + 10) && back[i] == 2 * (float)(round + 10);
    tern_scope_end(scope);
    return worked;
}

int main(void) {
    tern_ctx *ctx = tern_open("opencl:0");
    if (tern_device_open(ctx, "opencl:1") != TERN_OK) {
        fprintf(stderr, "%s\n", tern_error(ctx));
        tern_close(ctx);
        return 77;
    }
    int passed = 0;
    while (passed < ROUNDS && round_trip(ctx, passed)) passed++;
    if (tern_check(ctx) != TERN_OK) fprintf(stderr, "opencl: %s\n", tern_error(ctx));
    printf("%d of %d round trips\n", passed, ROUNDS);
    bool closed = tern_close(ctx) == TERN_OK;
    if (!closed) fprintf(stderr, "opencl: the context did not close well\n");
    return closed && passed == ROUNDS ? 0 : 1;
}
