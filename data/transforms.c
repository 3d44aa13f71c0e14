/* transforms.c: the transforms of pictures, by torchvision's names. */
#include <string.h>

#include "noise.h"
#include "transform.h"

/* ---- pictures: [..., H, W] ---- */

typedef struct picture {
    int64_t planes, height, width;
    size_t element, row; /* bytes */
} picture;

static picture picture_of(const tern_sample_field *field) {
    const tern_shape *s = &field->shape;
    picture p = {1, s->dim[s->rank - 2], s->dim[s->rank - 1], tern_dtype_size(field->dtype), 0};
    for (int32_t d = 0; d < s->rank - 2; d++) p.planes *= s->dim[d];
    p.row = (size_t)p.width * p.element;
    return p;
}

static int64_t elements_of(const tern_sample_field *field) {
    int64_t count = 1;
    for (int32_t d = 0; d < field->shape.rank; d++) count *= field->shape.dim[d];
    return count;
}

static bool is_picture(tern_ctx *ctx, const tern_transform *t) {
    if (t->in.shape.rank >= 2) return true;
    tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: a sample of %d dimensions is not a picture [..., H, W]",
              t->cls->name, (int)t->in.shape.rank);
    return false;
}

/* ---- numbers ---- */

/* Whole numbers of these dtypes become fractions of their greatest value. */
static double greatest(tern_dtype dtype) {
    switch (dtype) {
    case TERN_UINT8: return 255;
    case TERN_INT8: return 127;
    case TERN_INT16: return 32767;
    case TERN_INT32: return 2147483647.0;
    case TERN_FLOAT32:
    case TERN_FLOAT64: return 1;
    default: return 0;
    }
}

static double element_at(const void *data, tern_dtype dtype, int64_t i) {
    switch (dtype) {
    case TERN_UINT8: return ((const uint8_t *)data)[i];
    case TERN_INT8: return ((const int8_t *)data)[i];
    case TERN_INT16: return ((const int16_t *)data)[i];
    case TERN_INT32: return ((const int32_t *)data)[i];
    case TERN_FLOAT64: return ((const double *)data)[i];
    default: return ((const float *)data)[i];
    }
}

static float fraction(const void *data, tern_dtype dtype, int64_t i) {
    return (float)element_at(data, dtype, i) / (float)greatest(dtype);
}

static bool plan_to_tensor(tern_ctx *ctx, tern_transform *t) {
    tern_shape in = t->in.shape;
    t->out = t->in;
    t->out.shape = in.rank == 3 ? TERN_SHAPE(in.dim[2], in.dim[0], in.dim[1])
                                : TERN_SHAPE(1, in.dim[0], in.dim[1]);
    if (t->in.dtype == TERN_UINT8) t->out.dtype = TERN_FLOAT32;
    if (in.rank == 2 || in.rank == 3) return true;
    tern_fail(ctx, TERN_ERR_ARGUMENT, "ToTensor: pic should be 2/3 dimensional. Got %d dimensions.",
              (int)in.rank);
    return false;
}

static void to_tensor(const tern_transform *t, const void *in, void *out) {
    int64_t planes = t->out.shape.dim[0], pixels = t->out.shape.dim[1] * t->out.shape.dim[2];
    size_t element = tern_dtype_size(t->in.dtype);
    for (int64_t c = 0; c < planes; c++)
        for (int64_t i = 0; i < pixels; i++) {
            int64_t from = i * planes + c, to = c * pixels + i;
            if (t->in.dtype == TERN_UINT8)
                ((float *)out)[to] = fraction(in, TERN_UINT8, from);
            else
                memcpy((char *)out + (size_t)to * element,
                       (const char *)in + (size_t)from * element, element);
        }
}

static bool plan_convert(tern_ctx *ctx, tern_transform *t) {
    t->out = t->in;
    t->out.dtype = TERN_FLOAT32;
    if (t->options.dtype == TERN_FLOAT32 && greatest(t->in.dtype) > 0) return true;
    tern_fail(ctx, TERN_ERR_UNSUPPORTED,
              "ConvertImageDtype: cannot convert %s to %s, only to float32",
              tern_dtype_name(t->in.dtype), tern_dtype_name(t->options.dtype));
    return false;
}

static void convert(const tern_transform *t, const void *in, void *out) {
    int64_t count = elements_of(&t->in);
    for (int64_t i = 0; i < count; i++) ((float *)out)[i] = fraction(in, t->in.dtype, i);
}

/* One number for all planes or one for each. */
static double number_for(const tern_float_list *list, int64_t plane) {
    return list->items[list->count == 1 ? 0 : plane];
}

static bool plan_normalize(tern_ctx *ctx, tern_transform *t) {
    const tern_float_list *mean = &t->options.mean, *std = &t->options.std;
    t->out = t->in;
    if (!is_picture(ctx, t)) return false;
    int32_t rank = t->in.shape.rank;
    size_t planes = rank < 3 ? 1 : (size_t)t->in.shape.dim[rank - 3];
    bool zero = false;
    for (size_t i = 0; i < std->count; i++) zero = zero || std->items[i] == 0.0;
    if (t->in.dtype != TERN_FLOAT32)
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "Normalize: Input tensor should be a float tensor. Got torch.%s; ToTensor() "
                  "comes first",
                  tern_dtype_name(t->in.dtype));
    else if ((mean->count != 1 && mean->count != planes) ||
             (std->count != 1 && std->count != planes))
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "Normalize: %zu means and %zu deviations for a sample of %zu channels",
                  mean->count, std->count, planes);
    else if (zero)
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "Normalize: std evaluated to zero, leading to division "
                  "by zero.");
    else
        return true;
    return false;
}

static void normalize(const tern_transform *t, const void *in, void *out) {
    picture p = picture_of(&t->in);
    int32_t rank = t->in.shape.rank;
    int64_t channels = rank < 3 ? 1 : t->in.shape.dim[rank - 3], pixels = p.height * p.width;
    for (int64_t plane = 0; plane < p.planes; plane++) {
        const float *from = (const float *)in + plane * pixels;
        float *to = (float *)out + plane * pixels;
        float mean = (float)number_for(&t->options.mean, plane % channels);
        float std = (float)number_for(&t->options.std, plane % channels);
        for (int64_t i = 0; i < pixels; i++) to[i] = (from[i] - mean) / std;
    }
}

/* ---- flips ---- */

static bool plan_flip(tern_ctx *ctx, tern_transform *t) {
    t->out = t->in;
    if (!is_picture(ctx, t)) return false;
    if (t->options.p >= 0 && t->options.p <= 1) return true;
    tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: p=%g is not a probability: use 0 to 1", t->cls->name,
              t->options.p);
    return false;
}

static void flip_horizontal(const tern_transform *t, uint64_t *noise, const void *in, void *out) {
    picture p = picture_of(&t->in);
    bool flips = tern_noise_uniform(noise) < t->options.p;
    for (int64_t row = 0; row < p.planes * p.height; row++)
        for (int64_t x = 0; x < p.width; x++) {
            int64_t from = flips ? p.width - 1 - x : x;
            memcpy((char *)out + (size_t)row * p.row + (size_t)x * p.element,
                   (const char *)in + (size_t)row * p.row + (size_t)from * p.element, p.element);
        }
}

static void flip_vertical(const tern_transform *t, uint64_t *noise, const void *in, void *out) {
    picture p = picture_of(&t->in);
    bool flips = tern_noise_uniform(noise) < t->options.p;
    for (int64_t plane = 0; plane < p.planes; plane++)
        for (int64_t y = 0; y < p.height; y++) {
            int64_t to = plane * p.height + y;
            int64_t from = plane * p.height + (flips ? p.height - 1 - y : y);
            memcpy((char *)out + (size_t)to * p.row, (const char *)in + (size_t)from * p.row,
                   p.row);
        }
}

/* ---- crops ---- */

static int64_t crop_height(const tern_transform *t) {
    return t->options.size.dim[0];
}

static int64_t crop_width(const tern_transform *t) {
    return t->options.size.dim[t->options.size.rank - 1];
}

static bool plan_crop(tern_ctx *ctx, tern_transform *t) {
    int32_t rank = t->in.shape.rank;
    t->out = t->in;
    if (!is_picture(ctx, t)) return false;
    int64_t height = t->in.shape.dim[rank - 2], width = t->in.shape.dim[rank - 1];
    int64_t padding = t->options.padding;
    bool sizes = t->options.size.rank == 1 || t->options.size.rank == 2;
    if (sizes && padding >= 0 && padding <= INT32_MAX && crop_height(t) >= 1 &&
        crop_width(t) >= 1 && crop_height(t) <= height + 2 * padding &&
        crop_width(t) <= width + 2 * padding) {
        t->out.shape.dim[rank - 2] = crop_height(t);
        t->out.shape.dim[rank - 1] = crop_width(t);
        return true;
    }
    if (!sizes)
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: size must be one number or (height, width)",
                  t->cls->name);
    else
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "%s: Required crop size (%lld, %lld) is larger than input image size (%lld, "
                  "%lld) with a padding of %lld, or no size",
                  t->cls->name, (long long)crop_height(t), (long long)crop_width(t),
                  (long long)height, (long long)width, (long long)padding);
    return false;
}

/* The part of the picture whose corner lies at (top, left), zeros where that is outside. */
static void cut(const tern_transform *t, int64_t top, int64_t left, const void *in, void *out) {
    picture p = picture_of(&t->in);
    int64_t height = crop_height(t), width = crop_width(t);
    size_t row = (size_t)width * p.element;
    int64_t first = left < 0 ? -left : 0;
    int64_t last = left + width > p.width ? p.width - left : width;
    memset(out, 0, (size_t)(p.planes * height) * row);
    for (int64_t plane = 0; plane < p.planes; plane++)
        for (int64_t y = 0; y < height; y++) {
            if (top + y < 0 || top + y >= p.height || last <= first) continue;
            const char *from = (const char *)in + (size_t)(plane * p.height + top + y) * p.row;
            char *to = (char *)out + (size_t)(plane * height + y) * row;
            memcpy(to + (size_t)first * p.element, from + (size_t)(left + first) * p.element,
                   (size_t)(last - first) * p.element);
        }
}

static void random_crop(const tern_transform *t, uint64_t *noise, const void *in, void *out) {
    picture p = picture_of(&t->in);
    int64_t padding = t->options.padding;
    int64_t top = tern_noise_below(noise, p.height + 2 * padding - crop_height(t) + 1);
    int64_t left = tern_noise_below(noise, p.width + 2 * padding - crop_width(t) + 1);
    cut(t, top - padding, left - padding, in, out);
}

/* round((height - crop) / 2): torchvision rounds a half to the even number. */
static int64_t half(int64_t n) {
    return n / 2 + (n % 2 && n / 2 % 2);
}

static void center_crop(const tern_transform *t, const void *in, void *out) {
    picture p = picture_of(&t->in);
    cut(t, half(p.height - crop_height(t)), half(p.width - crop_width(t)), in, out);
}

/* ---- the table ---- */

#define OPTION(name) TERN_FIELD(tern_transform_options, name, name)

static const tern_field no_fields[] = {TERN_FIELD_END};
static const tern_field convert_fields[] = {OPTION(dtype), TERN_FIELD_END};
static const tern_field normalize_fields[] = {OPTION(mean), OPTION(std), TERN_FIELD_END};
static const tern_field flip_fields[] = {OPTION(p), TERN_FIELD_END};
static const tern_field crop_fields[] = {OPTION(size), OPTION(padding), TERN_FIELD_END};

static const tern_transform_class classes[] = {
    {"ToTensor", "ToTensor()", no_fields, plan_to_tensor, to_tensor, NULL},
    {"ConvertImageDtype", "ConvertImageDtype(dtype dtype)", convert_fields, plan_convert, convert,
     NULL},
    {"Normalize", "Normalize(float[] mean, float[] std)", normalize_fields, plan_normalize,
     normalize, NULL},
    {"RandomHorizontalFlip", "RandomHorizontalFlip(float p=0.5)", flip_fields, plan_flip, NULL,
     flip_horizontal},
    {"RandomVerticalFlip", "RandomVerticalFlip(float p=0.5)", flip_fields, plan_flip, NULL,
     flip_vertical},
    {"RandomCrop", "RandomCrop(int[] size, int padding=0)", crop_fields, plan_crop, NULL,
     random_crop},
    {"CenterCrop", "CenterCrop(int[] size)", crop_fields, plan_crop, center_crop, NULL},
};

enum { N_CLASSES = sizeof classes / sizeof classes[0] };

const tern_transform_class *tern_transform_find(const char *name) {
    for (size_t i = 0; i < N_CLASSES; i++)
        if (strcmp(classes[i].name, name) == 0) return &classes[i];
    return NULL;
}

const char *tern_transform_name(size_t index) {
    return index < N_CLASSES ? classes[index].name : NULL;
}
