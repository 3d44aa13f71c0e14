/*
 * dialect.h: the words that differ between OpenCL C, CUDA C and C on the host.
 *
 * A kernel is `KERNEL name(parameters)`. Its pointers are GLOBAL, its numbers are one struct of
 * fixed-width types (launch.h), its work items ask ITEM, GROUP and LANE where they are. Shared memory of
 * a group is declared by LOCAL at the top of a kernel, and pointed to by SHARED; BARRIER is reached by every item of
 * a group or by none. UNROLL stands before a loop whose numbers are to stay in registers. A struct is made field
 * by field, since NVRTC has no compound literals.
 *
 * On the host a work item of a group with barriers is a fiber; who compiles a kernel there has declared
 * gpu_host_item and gpu_host_barrier, and says how a kernel begins (tests/backends/host_form.c). A LOCAL is
 * static, since one group runs at a time.
 */
#ifndef KERNEL_LANES
#define KERNEL_LANES 64 /* of a group; where a kernel has others, this is defined anew before it */
#endif
#if defined(__OPENCL_VERSION__)
#pragma OPENCL FP_CONTRACT OFF
#ifdef GPU_F64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif
typedef char i8;
typedef uchar u8;
typedef short i16;
typedef ushort u16;
typedef int i32;
typedef uint u32;
typedef long i64;
typedef ulong u64;
#define KERNEL              __kernel __attribute__((reqd_work_group_size(KERNEL_LANES, 1, 1))) void
#define KERNEL_OF(resident) KERNEL
#define FUNCTION            static inline
#define GLOBAL              __global
#define LOCAL               __local
#define SHARED              __local
#define UNROLL              _Pragma("unroll")
#define BARRIER             barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE)
#define GROUP(d)            ((i64)get_group_id(d))
#define LANE                ((i32)get_local_id(0))
#define LANES               ((i32)get_local_size(0))
#define ITEM                ((i64)get_global_id(0))
#define BITS_OF(x)          as_uint(x)
#define FLOAT_OF(x)         as_float(x)
#define DOUBLE_OF(x)        as_double(x)
#define TAKE(at)            (atomic_cmpxchg((volatile __global i32 *)(at), 0, 1) == 0)
#elif defined(__CUDACC__)
typedef signed char i8;
typedef unsigned char u8;
typedef short i16;
typedef unsigned short u16;
typedef int i32;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;
#define KERNEL extern "C" __global__ void __launch_bounds__(KERNEL_LANES)
/* A kernel for which a compute unit may have as few as so many lanes at a time: where it needs the registers, it gets
 * them. Else the compiler moves some of them to memory to fit more lanes. */
#define KERNEL_OF(resident)                                                                        \
    extern "C" __global__ void __launch_bounds__(KERNEL_LANES, (resident) / KERNEL_LANES)
#define FUNCTION static __device__ inline
#define GLOBAL
#define LOCAL __shared__
#define SHARED
#define UNROLL       _Pragma("unroll")
#define BARRIER      __syncthreads()
#define GROUP(d)     ((i64)((d) == 0 ? blockIdx.x : (d) == 1 ? blockIdx.y : blockIdx.z))
#define LANE         ((i32)threadIdx.x)
#define LANES        ((i32)blockDim.x)
#define ITEM         ((i64)blockIdx.x * blockDim.x + threadIdx.x)
#define BITS_OF(x)   __float_as_uint(x)
#define FLOAT_OF(x)  __uint_as_float(x)
#define DOUBLE_OF(x) __longlong_as_double(x)
#define TAKE(at)     (atomicCAS((i32 *)(at), 0, 1) == 0)
#ifdef __CUDACC_RTC__ /* which has the functions of math.h, and not its macros */
#define NAN      __int_as_float(0x7fffffff)
#define INFINITY __int_as_float(0x7f800000)
#endif
#else
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <tgmath.h>
typedef int8_t i8;
typedef uint8_t u8;
typedef int16_t i16;
typedef uint16_t u16;
typedef int32_t i32;
typedef uint32_t u32;
typedef int64_t i64;
typedef uint64_t u64;
#define KERNEL              GPU_HOST_KERNEL(KERNEL_LANES) void
#define KERNEL_OF(resident) KERNEL
#define FUNCTION            static inline
#define GLOBAL
#define LOCAL static
#define SHARED
#define UNROLL
#define BARRIER      gpu_host_barrier()
#define GROUP(d)     (gpu_host_item.group[d])
#define LANE         (gpu_host_item.lane)
#define LANES        (gpu_host_item.lanes)
#define ITEM         (gpu_host_item.group[0] * gpu_host_item.lanes + gpu_host_item.lane)
#define BITS_OF(x)   gpu_host_bits(x)
#define FLOAT_OF(x)  gpu_host_float(x)
#define DOUBLE_OF(x) gpu_host_double(x)
#define TAKE(at)     (__sync_val_compare_and_swap((i32 *)(at), 0, 1) == 0)
static inline u32 gpu_host_bits(float x) {
    u32 bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
static inline float gpu_host_float(u32 bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
static inline double gpu_host_double(i64 bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
#endif
