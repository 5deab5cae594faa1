# SPDX-License-Identifier: MIT
# What there is to build, read from the sources themselves: IPSEC_VERSION,
# IPSEC_OPTIONS (the macros of include/ipsec/options.h), IPSEC_SOURCES,
# IPSEC_MBEDTLS_SOURCES, IPSEC_LWIP_SOURCES. For CMake proper, ESP-IDF (also
# where that runs it as a script) and Zephyr.

get_filename_component(IPSEC_ROOT "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)

set(IPSEC_VERSION "")
file(STRINGS "${IPSEC_ROOT}/include/ipsec/ipsec.h" lines
     REGEX "^#define IPSEC_VERSION_(MAJOR|MINOR|PATCH) ")
foreach(line IN LISTS lines)
    string(REGEX REPLACE ".* " "" number "${line}")
    list(APPEND IPSEC_VERSION "${number}")
endforeach()
string(REPLACE ";" "." IPSEC_VERSION "${IPSEC_VERSION}")

file(STRINGS "${IPSEC_ROOT}/include/ipsec/options.h" lines
     REGEX "IPSEC_NO_[A-Z0-9_]+")
set(IPSEC_OPTIONS "")
foreach(line IN LISTS lines)
    string(REGEX MATCH "IPSEC_NO_[A-Z0-9_]+" macro "${line}")
    list(APPEND IPSEC_OPTIONS "${macro}")
endforeach()
list(REMOVE_DUPLICATES IPSEC_OPTIONS)

file(GLOB IPSEC_SOURCES "${IPSEC_ROOT}/src/*.c")
file(GLOB IPSEC_MBEDTLS_SOURCES "${IPSEC_ROOT}/ports/mbedtls/*.c")
file(GLOB IPSEC_LWIP_SOURCES "${IPSEC_ROOT}/ports/lwip/*.c")

# Of a build that is set by Kconfig: CONFIG_LIBIPSEC_AH unset leaves out AH.
function(ipsec_kconfig_definitions result)
    set(definitions "")
    foreach(macro IN LISTS IPSEC_OPTIONS)
        string(REPLACE "IPSEC_NO_" "CONFIG_LIBIPSEC_" symbol "${macro}")
        if(NOT macro MATCHES "_(ADDITIONS|TRANSFORMS)$" AND NOT ${symbol})
            list(APPEND definitions "${macro}")
        endif()
    endforeach()
    set(${result} "${definitions}" PARENT_SCOPE)
endfunction()
