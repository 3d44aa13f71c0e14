/*
 * compiler.h: NVRTC, which compiles CUDA C in the process, where it is installed. Its declarations are here, so
 * that no toolkit is needed; the library is opened when a program is to be compiled.
 */
#ifndef TERN_CUDA_COMPILER_H
#define TERN_CUDA_COMPILER_H

#include <stddef.h>
#include <stdint.h>

#include "tern/backend.h"

/* What every program is compiled with: a step rounds as the separate operations would. */
#define CUDA_COMPILER_OPTIONS "-fmad=false"

/* Opens it once in the process; UNSUPPORTED where it is not there, with the reason if `err` is not NULL. */
int32_t cuda_compiler_open(tern_backend_error *err);

/* Code for a chip (80: sm_80), or PTX, where the chip is younger than the compiler. The bytes are the host's to
 * free. FAILED, with what the compiler said. */
int32_t cuda_compile(const char *source, int capability, unsigned char **out_code, size_t *out_size,
                     tern_backend_error *err);

#endif
