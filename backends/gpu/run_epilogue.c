/*
 * MATMUL_MAP, CONV_MAP: the program that a result goes through before it is written, as a function of the kernel
 *
 *     num epilogue(num v0, num v1, num v2, num v3, const i64 *c)
 *
 * of the sum, up to three other inputs at the result's position, and constants. Programs with more are declined,
 * and so are those that look at the error flag.
 */
#include <stdio.h>
#include <string.h>

#include "sources.h"
#include "steps.h"

int32_t gpu_epilogue_take(const gpu_call *call, int32_t n_operands, const tern_map_attrs *program,
                          gpu_epilogue *out) {
    int32_t extras = program->n_inputs - 1, number_class = gpu_class(call);
    memset(out, 0, sizeof *out); /* padding too: the bytes are a key */
    if (n_operands < 2 || n_operands > 3 || call->n_inputs != n_operands + extras || extras < 0 ||
        extras > GPU_EXTRAS || program->n_outputs != 1 || program->n_steps > GPU_STEPS ||
        program->n_constants > GPU_EPILOGUE_NUMBERS || program->flags & TERN_MAP_SKIPS ||
        program->compute != (number_class == GPU_F64 ? TERN_BT_FLOAT64 : TERN_BT_FLOAT32))
        return TERN_BACKEND_DECLINED;
    out->number_class = number_class;
    out->n_inputs = program->n_inputs;
    out->n_constants = program->n_constants;
    out->n_steps = program->n_steps;
    out->output = tern_map_outputs(program)[0];
    for (int32_t q = 0; q < GPU_EXTRAS; q++) {
        const tern_operand *extra = q < extras ? &call->inputs[n_operands + q] : NULL;
        out->dtypes[q] = extra ? extra->dtype : -1;
        if (extra && !extra->buffer) return TERN_BACKEND_DECLINED;
    }
    memcpy(out->steps, tern_map_steps(program), sizeof *out->steps * (size_t)out->n_steps);
    return TERN_BACKEND_OK;
}

void gpu_epilogue_launch_make(const gpu_call *call, int32_t n_operands,
                              const tern_map_attrs *program, gpu_epilogue_launch *out) {
    memset(out, 0, sizeof *out);
    for (int32_t q = 0; q < program->n_inputs - 1; q++)
        out->at[q] = gpu_at(&call->inputs[n_operands + q]);
    gpu_put_constants(gpu_class(call), tern_map_constants(program), program->n_constants, out->c);
}

gpu_argument gpu_epilogue_extra(const gpu_call *call, int32_t n_operands, int32_t q) {
    int32_t at = n_operands + q;
    return gpu_of(&call->inputs[at < call->n_inputs ? at : 0]); /* one that is not read */
}

#define SOURCE_BYTES 8192

char *gpu_epilogue_write(const gpu_device *device, const gpu_epilogue *e) {
    char *body = device->host->alloc(SOURCE_BYTES);
    if (!body) return NULL;
    gpu_text t = {body, body + SOURCE_BYTES};
    const gpu_steps_of steps = {e->number_class, -1, e->n_inputs + e->n_constants, e->n_steps,
                                e->steps};
    gpu_put(&t, "#define EPILOGUE 1\n");
    for (int q = 0; q < GPU_EXTRAS; q++) gpu_put(&t, "#define EXTRA%d %d\n", q, (int)e->dtypes[q]);
    gpu_put(&t, "FUNCTION num epilogue(num v0");
    for (int k = 1; k <= GPU_EXTRAS; k++) gpu_put(&t, ", num %c%d", k < e->n_inputs ? 'v' : 'x', k);
    gpu_put(&t, ", const i64 *c) {\n");
    for (int32_t k = 0; k < e->n_constants; k++)
        gpu_put(&t, " num v%d = number_of(c[%d]);\n", (int)(e->n_inputs + k), (int)k);
    gpu_put_steps(&t, &steps);
    gpu_put(&t, " return v%d;\n}\n", (int)e->output);
    return body;
}
