# A room is a folder of sources. Rooms that are absent (a reduced source tree) are left out.

# Sets `out` to the C sources of a folder; further arguments are patterns of files to leave out.
# RECURSE as the last argument descends.
function(tern_sources out folder)
    set(glob GLOB)
    if("RECURSE" IN_LIST ARGN)
        set(glob GLOB_RECURSE)
    endif()
    file(${glob} sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.c)
    foreach(pattern IN LISTS ARGN)
        list(FILTER sources EXCLUDE REGEX "${pattern}")
    endforeach()
    set(${out} ${sources} PARENT_SCOPE)
endfunction()

# An object library of one room, compiled with the project's flags and the public headers.
function(tern_room target)
    add_library(${target} OBJECT ${ARGN})
    target_link_libraries(${target} PRIVATE tern_flags)
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/include)
endfunction()
