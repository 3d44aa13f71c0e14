#include "image.h"

#include <string.h>

#include "kernels.h"

void tern_ref_spread(const int64_t *values, int32_t spatial, int64_t missing, int64_t *out) {
    for (int32_t d = 0; d < 3; d++) out[d] = d < 3 - spatial ? missing : values[d - (3 - spatial)];
}

tern_ref_window tern_ref_window_of(const int64_t *kernel, const int64_t *stride,
                                   const int64_t *padding, const int64_t *dilation,
                                   int32_t spatial) {
    tern_ref_window window;
    tern_ref_spread(kernel, spatial, 1, window.kernel);
    tern_ref_spread(stride, spatial, 1, window.stride);
    tern_ref_spread(padding, spatial, 0, window.padding);
    tern_ref_spread(dilation, spatial, 1, window.dilation);
    for (int d = 0; d < 3; d++) {
        if (window.stride[d] < 1) window.stride[d] = 1;
        if (window.dilation[d] < 1) window.dilation[d] = 1;
    }
    return window;
}

static tern_kit_tensor as_tensor(const tern_ref_image *image, const tern_kit_tensor *like,
                                 int64_t *strides) {
    tern_kit_row_major(like, strides);
    char *data = image->f ? (char *)image->f : (char *)image->i;
    int32_t dtype = image->f ? TERN_BT_FLOAT64 : TERN_BT_INT64;
    return tern_kit_tensor_over(data, dtype, like->rank, like->shape, strides);
}

static void convert(const tern_kit_call *call, const tern_kit_tensor *from,
                    const tern_kit_tensor *to) {
    tern_kit_call copy = *call;
    copy.inputs = from;
    copy.outputs = to;
    tern_ref_copy(&copy);
}

bool tern_ref_image_new(const tern_kit_call *call, const tern_kit_tensor *tensor, int32_t dtype,
                        bool filled, tern_ref_image *out_image) {
    int64_t strides[TERN_BACKEND_MAX_RANK];
    int64_t count = tern_kit_count(tensor);
    void *numbers = tern_kit_take(call, count, sizeof(double));
    memset(out_image, 0, sizeof *out_image);
    if (!numbers) return false;
    memset(numbers, 0, (size_t)count * sizeof(double));
    if (tern_kit_is_floating(dtype))
        out_image->f = numbers;
    else
        out_image->i = numbers;
    out_image->n = tensor->shape[0];
    out_image->c = tensor->shape[1];
    tern_ref_spread(tensor->shape + 2, tensor->rank - 2, 1, out_image->size);
    out_image->pixels = out_image->size[0] * out_image->size[1] * out_image->size[2];
    tern_kit_tensor wide = as_tensor(out_image, tensor, strides);
    if (filled) convert(call, tensor, &wide);
    return true;
}

void tern_ref_image_store(const tern_kit_call *call, const tern_ref_image *image,
                          const tern_kit_tensor *tensor) {
    int64_t strides[TERN_BACKEND_MAX_RANK];
    tern_kit_tensor wide = as_tensor(image, tensor, strides);
    convert(call, &wide, tensor);
}

void tern_ref_image_free(const tern_kit_call *call, tern_ref_image *image) {
    tern_kit_give(call, image->f);
    tern_kit_give(call, image->i);
    memset(image, 0, sizeof *image);
}
