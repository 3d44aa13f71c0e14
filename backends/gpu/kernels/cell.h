/* cell.h: an element of RAW bytes that moves as it is. */
#if RAW == 1
#define CELL u8
#elif RAW == 2
#define CELL u16
#elif RAW == 4
#define CELL u32
#elif RAW == 8
#define CELL u64
#endif
