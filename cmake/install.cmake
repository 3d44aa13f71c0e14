# cmake --install: libraries, headers, plugins with their manifests, the backend kit, the command,
# and what find_package(Tern) and pkg-config read.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Tern)
set(installed tern_core)
if(TARGET tern)
    list(APPEND installed tern)
endif()
install(TARGETS ${installed} EXPORT TernTargets)
install(EXPORT TernTargets NAMESPACE Tern:: DESTINATION ${package_dir})
install(DIRECTORY include/tern DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

configure_package_config_file(cmake/TernConfig.cmake.in TernConfig.cmake
                              INSTALL_DESTINATION ${package_dir}
                              PATH_VARS CMAKE_INSTALL_DATADIR)
write_basic_package_version_file(TernConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/TernConfig.cmake ${PROJECT_BINARY_DIR}/TernConfigVersion.cmake
        DESTINATION ${package_dir})

if(TERN_STATIC)
    set(tern_all_names -Wl,-u,tern_functional_ops)
endif()
configure_file(cmake/tern.pc.in tern.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/tern.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(NOT TERN_STATIC)
    install(DIRECTORY ${plugin_dir} ${manifest_dir} DESTINATION ${CMAKE_INSTALL_LIBDIR}/tern)
endif()

# The kit from which a new backend begins: the reference kernels and their arithmetic, as source.
if(EXISTS ${PROJECT_SOURCE_DIR}/backends/cpu_ref)
    install(DIRECTORY backends/cpu_ref numerics DESTINATION ${CMAKE_INSTALL_DATADIR}/tern/backend-kit
            FILES_MATCHING PATTERN "*.c" PATTERN "*.h" PATTERN "*.md" PATTERN "*.inc")
endif()

foreach(program tern_command tern_probe)
    if(TARGET ${program})
        install(TARGETS ${program})
    endif()
endforeach()

# Man pages are written by the command itself, so they are made where it runs.
if(TARGET tern_command AND NOT CMAKE_CROSSCOMPILING AND NOT TERN_SANITIZE)
    set(manual ${PROJECT_BINARY_DIR}/man)
    add_custom_command(OUTPUT ${manual}/tern.1
        COMMAND ${PROJECT_SOURCE_DIR}/tools/manual $<TARGET_FILE:tern_command> ${manual}
        DEPENDS tern_command ${PROJECT_SOURCE_DIR}/tools/manual VERBATIM)
    add_custom_target(tern_manual ALL DEPENDS ${manual}/tern.1)
    install(DIRECTORY ${manual}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
    install(FILES tools/completion.bash RENAME tern
            DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
endif()
