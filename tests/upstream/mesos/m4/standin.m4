# STANDIN_SWITCHES: those of Mesos 0.25. The ones that would add something are known, and refused.
AC_DEFUN([STANDIN_SWITCHES], [
AC_ARG_ENABLE([java], [AS_HELP_STRING([--disable-java], [no Java bindings])], [], [enable_java=yes])
AC_ARG_ENABLE([python], [AS_HELP_STRING([--disable-python], [no Python bindings])], [], [enable_python=yes])
AC_ARG_ENABLE([debug], [AS_HELP_STRING([--enable-debug], [-g, if no flags are given])])
AC_ARG_ENABLE([optimize], [AS_HELP_STRING([--enable-optimize], [-O2, if no flags are given])])
AC_ARG_ENABLE([bundled], [AS_HELP_STRING([--disable-bundled], [use installed libraries])], [], [enable_bundled=yes])
m4_foreach_w([what], [distribute pip wheel],
  [AC_ARG_ENABLE([bundled-]what, [AS_HELP_STRING([--disable-bundled-]what, [use the installed one])])])
AC_ARG_ENABLE([python-dependency-install],
  [AS_HELP_STRING([--disable-python-dependency-install], [no downloads in make install])])
AC_ARG_ENABLE([ssl], [AS_HELP_STRING([--enable-ssl], [encrypt libprocess])])
AC_ARG_ENABLE([libevent], [AS_HELP_STRING([--enable-libevent], [libevent in place of libev])])
m4_foreach_w([what], [zookeeper leveldb glog protobuf gmock],
  [AC_ARG_WITH(what, [AS_HELP_STRING([--with-]what, [use the installed one])],
    [AC_MSG_ERROR([the stand-in has only its bundled ]what)])])
m4_foreach_w([what], [curl sasl zlib apr svn],
  [AC_ARG_WITH(what, [AS_HELP_STRING([--with-]what[=DIR], [where it is])])])
AC_ARG_WITH([network-isolator], [AS_HELP_STRING([--with-network-isolator], [port mapping])],
  [], [with_network_isolator=no])
AC_ARG_VAR([JAVA_HOME], [a JDK])
AC_ARG_VAR([MAVEN_HOME], [Maven])
AC_ARG_VAR([PYTHON], [Python])

AS_IF([test "x$enable_java" = xyes], [AC_MSG_ERROR([no JDK found; --disable-java does without])])
AS_IF([test "x$enable_python" = xyes], [AC_MSG_ERROR([no Python 2 found; --disable-python does without])])
AS_IF([test "x$enable_bundled" != xyes], [AC_MSG_ERROR([the stand-in has only bundled libraries])])
AS_IF([test "x$with_network_isolator" = xyes], [AC_MSG_ERROR([libnl3 not found])])
AS_IF([test "x$enable_ssl$enable_libevent" != x], [AC_MSG_ERROR([libevent not found])])
])

# STANDIN_COMPILER: gcc 4.8 or later with C++11. Flags that are given are left alone.
AC_DEFUN([STANDIN_COMPILER], [
standin_debug=-g1
standin_optimize=-O0
AS_IF([test "x$enable_optimize" = xyes], [standin_optimize=-O2; standin_debug=])
AS_IF([test "x$enable_debug" = xyes], [standin_debug=-g])
AS_IF([test "x$ac_cv_env_CFLAGS_set" = x], [CFLAGS="$standin_debug $standin_optimize"])
AS_IF([test "x$ac_cv_env_CXXFLAGS_set" = x], [CXXFLAGS="$standin_debug $standin_optimize"])
AS_CASE([" $CXXFLAGS "], [*-O2*], [CXXFLAGS="$CXXFLAGS -Wno-maybe-uninitialized"])
CXXFLAGS="$CXXFLAGS -std=c++11"

AC_LANG_PUSH([C++])
AC_MSG_CHECKING([for gcc 4.8 or later with C++11])
AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
#include <memory>
#if __GNUC__ < 4 || (__GNUC__ == 4 && __GNUC_MINOR__ < 8) || __cplusplus < 201103L
#error too old
#endif
]], [[std::shared_ptr<int> p(new int(1)); auto f = [p]() { return *p; }; return f();]])],
  [AC_MSG_RESULT([yes])],
  [AC_MSG_RESULT([no])
   AC_MSG_ERROR([GCC 4.8 or higher required])])
AC_LANG_POP([C++])
])

# STANDIN_PREFIX(DIR, SUBDIRECTORY): a place of headers, if a place is given; and of libraries.
AC_DEFUN([STANDIN_PREFIX], [
standin_dir="$1"
AS_IF([test -n "$standin_dir"], [
  CPPFLAGS="-I$standin_dir/$2 $CPPFLAGS"
  AS_IF([test "$standin_dir" != /usr], [LDFLAGS="-L$standin_dir/lib $LDFLAGS"])])
])

# STANDIN_LIBRARY(LIBRARY, FUNCTION, HEADER)
AC_DEFUN([STANDIN_LIBRARY], [
AC_CHECK_HEADER([$3], [], [AC_MSG_ERROR([cannot find lib$1 headers ($3)])])
AC_CHECK_LIB([$1], [$2], [], [AC_MSG_ERROR([cannot find lib$1])])
])

# STANDIN_CRAM_MD5: compiles a program and runs it, since the plug-in is looked for at run time.
AC_DEFUN([STANDIN_CRAM_MD5], [
AC_MSG_CHECKING([SASL CRAM-MD5 support])
AC_RUN_IFELSE([AC_LANG_SOURCE([[
#include <string.h>
#include <sasl/sasl.h>
#include <sasl/saslplug.h>
static int found = 0;
static void look(client_sasl_mechanism_t *m, sasl_info_callback_stage_t stage, void *data) {
  (void) data;
  if (stage != SASL_INFO_LIST_START && stage != SASL_INFO_LIST_END && m->plug != NULL)
    found |= !strcmp(m->plug->mech_name, "CRAM-MD5");
}
int main(void) {
  if (sasl_client_init(NULL) != SASL_OK) return 2;
  sasl_client_plugin_info(NULL, &look, NULL);
  return found ? 0 : 1;
}
]])],
  [AC_MSG_RESULT([yes])],
  [AC_MSG_RESULT([no])
   AC_MSG_ERROR([We need CRAM-MD5 support for SASL authentication.])],
  [AC_MSG_ERROR([cannot run programs here])])
])
