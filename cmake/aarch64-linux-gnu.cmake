# Toolchain: Debian's cross compiler for 64-bit Arm. zlib and jansson come from the arm64 packages:
#     dpkg --add-architecture arm64; apt-get update
#     apt-get install gcc-aarch64-linux-gnu zlib1g-dev:arm64 libjansson-dev:arm64
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static)
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig)
