/* window.h: says to tile.h that right is an image under a window. WIDE where 32 bits do not hold its sizes. */
#define WINDOWED 1
