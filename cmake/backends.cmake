# Backends: modules beside their manifests in a shared build, objects behind a generated table in a
# static one. A backend sees the public headers (it includes backend.h alone) and numerics.
set(plugin_dir ${PROJECT_BINARY_DIR}/lib/tern/plugins)
set(manifest_dir ${PROJECT_BINARY_DIR}/lib/tern/plugins.d)
file(MAKE_DIRECTORY ${plugin_dir} ${manifest_dir})

# tern_backend(NAME sources...): the module libtern_NAME.so. OUTPUT_DIR overrides where it goes.
function(tern_backend name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "OUTPUT_DIR" "SOURCES;DEFINITIONS")
    if(NOT arg_OUTPUT_DIR)
        set(arg_OUTPUT_DIR ${plugin_dir})
    endif()
    add_library(tern_backend_${name} MODULE ${arg_SOURCES})
    if(TARGET tern_numerics_objects)
        target_sources(tern_backend_${name} PRIVATE $<TARGET_OBJECTS:tern_numerics_objects>)
    endif()
    target_link_libraries(tern_backend_${name} PRIVATE tern_flags m Threads::Threads)
    target_include_directories(tern_backend_${name} PRIVATE
        ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR})
    target_compile_definitions(tern_backend_${name} PRIVATE ${arg_DEFINITIONS}
        $<$<NOT:$<BOOL:${TERN_FUSED}>>:TERN_KIT_COMPOSES>)
    target_link_options(tern_backend_${name} PRIVATE
        ${tern_closed})
    set_target_properties(tern_backend_${name} PROPERTIES
        OUTPUT_NAME tern_${name} PREFIX lib LIBRARY_OUTPUT_DIRECTORY ${arg_OUTPUT_DIR})
    add_dependencies(plugins tern_backend_${name})
endfunction()

# The same backend as objects for a static build; the entry point carries the backend's name.
function(tern_static_backend name)
    tern_room(tern_backend_${name}_objects ${ARGN})
    target_include_directories(tern_backend_${name}_objects PRIVATE ${PROJECT_SOURCE_DIR})
    target_compile_definitions(tern_backend_${name}_objects PRIVATE
        TERN_STATIC TERN_BACKEND_QUERY_NAME=tern_backend_query_${name}
        $<$<NOT:$<BOOL:${TERN_FUSED}>>:TERN_KIT_COMPOSES>)
    target_sources(tern_core PRIVATE $<TARGET_OBJECTS:tern_backend_${name}_objects>)
endfunction()

# The loops of these are over a few hundred numbers at a time, in buffers: worth vectors. Elsewhere two
# pointers that were just written one by one must not be read as one vector: the processor waits for that.
tern_sources(kit_sources backends/cpu_ref)
set(kit_copies ${tern_copies_by_calls})
if(CMAKE_C_FLAGS_RELEASE MATCHES "-Os") # a build that is to be small
    set(kit_copies)
endif()
set_source_files_properties(${kit_sources} PROPERTIES
    COMPILE_OPTIONS "$<$<CONFIG:Release>:-fno-tree-slp-vectorize;${kit_copies}>")
foreach(loops map walk binary_floating unary matmul)
    if(CMAKE_C_FLAGS_RELEASE MATCHES "-Os")
        break()
    endif()
    set_source_files_properties(${PROJECT_SOURCE_DIR}/backends/cpu_ref/${loops}.c PROPERTIES
        COMPILE_OPTIONS "$<$<CONFIG:Release>:-O3;-fno-tree-slp-vectorize;${tern_copies_by_calls}>")
endforeach()

add_custom_target(plugins)
file(GLOB backend_dirs CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/backends/*)
set(backend_names)
foreach(dir IN LISTS backend_dirs)
    cmake_path(GET dir FILENAME name)
    tern_sources(sources backends/${name})
    if(EXISTS ${dir}/CMakeLists.txt)
        add_subdirectory(${dir})
    elseif(NOT sources)
        continue()
    elseif(NOT TERN_STATIC)
        tern_backend(${name} SOURCES ${sources})
    elseif(name IN_LIST TERN_STATIC_BACKENDS)
        tern_static_backend(${name} ${sources})
    endif()
    list(APPEND backend_names ${name})
endforeach()

if(TERN_STATIC AND EXISTS ${PROJECT_SOURCE_DIR}/core/plugin/static_backends.cmake)
    include(core/plugin/static_backends.cmake)
endif()

# Manifests lie in plugins.d/ at the root, as they are installed.
file(GLOB manifests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/plugins.d/*)
if(NOT TERN_STATIC)
    foreach(manifest IN LISTS manifests)
        cmake_path(GET manifest FILENAME name)
        cmake_path(GET manifest STEM stem)
        if(stem MATCHES "^cpu_simd_" AND NOT TARGET tern_backend_${stem})
            continue() # for another architecture
        endif()
        if(stem STREQUAL "opencl" AND NOT TARGET tern_backend_opencl)
            continue() # its headers are missing
        endif()
        if(stem STREQUAL "lapack" AND NOT TARGET tern_backend_lapack)
            continue() # it is missing, or left out
        endif()
        # A manifest that others may write to is not trusted, whatever the clone's umask was.
        configure_file(${manifest} ${manifest_dir}/${name} COPYONLY
                       FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
    endforeach()
endif()
