/*
 * copy_between.h: copies between devices of one plugin, without the host.
 */
#ifndef TERN_CORE_COPY_BETWEEN_H
#define TERN_CORE_COPY_BETWEEN_H

#include "core/objects.h"

/*
 * Copies bytes between storages of two lanes, in the order of both queues. False, and nothing copied, where
 * the devices are not of one plugin or cannot; the caller goes through the host. True after latching.
 */
bool tern_copy_between(tern_storage *dst, uint64_t dst_offset, tern_storage *src,
                       uint64_t src_offset, uint64_t bytes);

#endif
