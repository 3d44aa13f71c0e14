/* Steps as text: which function of kernels/functions.h each is, and what it takes beside its values. */
#include "steps.h"

#include <stdarg.h>
#include <stdio.h>

#include "members.h"

void gpu_put(gpu_text *t, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(t->at, (size_t)(t->end - t->at), format, arguments);
    va_end(arguments);
    t->at += length < t->end - t->at ? length : t->end - t->at - 1;
}

static bool divides(const tern_map_step *step) {
    return step->family == TERN_KERNEL_BINARY &&
           (step->fn == TERN_BINARY_DIV_FLOOR || step->fn == TERN_BINARY_DIV_TRUNC ||
            step->fn == TERN_BINARY_REMAINDER || step->fn == TERN_BINARY_FMOD);
}

/* What stands before the values in a call of the step's function. */
static void put_extra(gpu_text *t, const gpu_steps_of *p, const tern_map_step *step) {
    bool shifts = step->family == TERN_KERNEL_BINARY &&
                  (step->fn == TERN_BINARY_SHIFT_LEFT || step->fn == TERN_BINARY_SHIFT_RIGHT);
    if (p->number_class == GPU_I64 && divides(step)) gpu_put(t, "flag, ");
    if (shifts) gpu_put(t, "%d, ", p->element < 0 ? 64 : (int)(8 * tern_kit_size(p->element)));
}

void gpu_put_call(gpu_text *t, const gpu_steps_of *p, const tern_map_step *step) {
    if (step->family == TERN_KERNEL_COPY) {
        gpu_put(t, "rounded_to(%d, v%d)", step->fn, step->source[0]);
        return;
    }
    int32_t arity = step->family == TERN_KERNEL_UNARY    ? 1
                    : step->family == TERN_KERNEL_BINARY ? 2
                                                         : 3;
    bool scaled = arity > 1 && step->source[arity] >= 0;
    bool narrow = arity == 2 && step->fn == TERN_BINARY_NEXTAFTER &&
                  (p->element == TERN_BT_FLOAT16 || p->element == TERN_BT_BFLOAT16);
    gpu_put(t, "%s%s(", gpu_member_of(step->family, step->fn)->name,
            narrow   ? "_16"
            : scaled ? "_scaled"
                     : "");
    if (narrow) gpu_put(t, "%d, ", (int)p->element);
    put_extra(t, p, step);
    for (int32_t s = 0; s < arity + scaled; s++)
        gpu_put(t, "%sv%d", s ? ", " : "", step->source[s]);
    gpu_put(t, ")");
}

void gpu_put_steps(gpu_text *text, const gpu_steps_of *all) {
    for (int32_t k = 0; k < all->count; k++) {
        gpu_put(text, " num v%d = ", (int)(all->first + k));
        gpu_put_call(text, all, &all->steps[k]);
        gpu_put(text, ";\n");
    }
}

int64_t *gpu_put_constants(int32_t number_class, const tern_map_constant *constants, int32_t count,
                           int64_t *out) {
    bool integer = number_class == GPU_I64;
    for (int32_t k = 0; k < count; k++)
        *out++ = gpu_bits(number_class, integer ? 0 : constants[k].f, integer ? constants[k].i : 0);
    return out;
}
