/* image.h: where a pixel of a plane (an image and a channel of it) lies. */
FUNCTION i64 place(const gpu_image *m, i64 plane, i64 z, i64 y, i64 x) {
    return m->at + plane / m->size[1] * m->stride[0] + plane % m->size[1] * m->stride[1] +
           z * m->stride[2] + y * m->stride[3] + x * m->stride[4];
}
