/* poison.h: marks recycled memory for AddressSanitizer, nothing elsewhere. */
#ifndef TERN_CORE_POISON_H
#define TERN_CORE_POISON_H

#if defined(__SANITIZE_ADDRESS__)
#define TERN_HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TERN_HAVE_ASAN 1
#endif
#endif

#ifdef TERN_HAVE_ASAN
#include <sanitizer/asan_interface.h>
#define TERN_POISON(memory, bytes)   ASAN_POISON_MEMORY_REGION(memory, bytes)
#define TERN_UNPOISON(memory, bytes) ASAN_UNPOISON_MEMORY_REGION(memory, bytes)
#else
#define TERN_POISON(memory, bytes)   ((void)(memory))
#define TERN_UNPOISON(memory, bytes) ((void)(memory))
#endif

#endif
