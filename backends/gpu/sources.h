/*
 * sources.h: the kernels as text, embedded by backends/gpu/embed.cmake.
 */
#ifndef TERN_GPU_SOURCES_H
#define TERN_GPU_SOURCES_H

extern const char gpu_text_dialect[], gpu_text_launch[], gpu_text_numbers[], gpu_text_functions[],
    gpu_text_positions[], gpu_text_cell[], gpu_text_image[], gpu_text_fold[], gpu_text_copy[],
    gpu_text_reduce[], gpu_text_tile[], gpu_text_tile_sum[], gpu_text_window[], gpu_text_product[],
    gpu_text_conv[], gpu_text_pool[], gpu_text_resize[], gpu_text_scan[], gpu_text_sort[],
    gpu_text_index[], gpu_text_pick[], gpu_text_nonzero[], gpu_text_softmax[], gpu_text_embedding[],
    gpu_text_cross_entropy[], gpu_text_norm[], gpu_text_attention[], gpu_text_recurrent[],
    gpu_text_interpret[];

#endif
