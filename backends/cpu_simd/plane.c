#include "plane.h"

tern_simd_planes tern_simd_planes_of(const tern_kit_tensor *tensor) {
    int64_t size = tern_kit_size(tensor->dtype);
    tern_simd_planes planes = {.data = tensor->data, .dtype = tensor->dtype};
    planes.n = tensor->strides[0] * size;
    planes.c = tensor->strides[1] * size;
    tern_ref_spread(tensor->strides + 2, tensor->rank - 2, 0, planes.spatial);
    for (int d = 0; d < 3; d++) planes.spatial[d] *= size;
    return planes;
}

int tern_simd_slot_take(atomic_int *busy, int count) {
    for (int i = 0;; i = (i + 1) % count) {
        int idle = 0;
        if (atomic_compare_exchange_strong(&busy[i], &idle, 1)) return i;
    }
}
