#ifndef STOUT_SVN_HPP
#define STOUT_SVN_HPP

#include <svn_delta.h>
#include <svn_pools.h>
#include <svn_string.h>

#include <string>

namespace svn {

/// How many windows of a delta lead from one text to another.
inline int windows(const std::string& from, const std::string& to)
{
  apr_pool_t* pool = svn_pool_create(NULL);
  svn_stringbuf_t* source = svn_stringbuf_create_ensure(from.size(), pool);
  svn_stringbuf_t* target = svn_stringbuf_create_ensure(to.size(), pool);
  svn_stringbuf_appendbytes(source, from.data(), from.size());
  svn_stringbuf_appendbytes(target, to.data(), to.size());

  svn_txdelta_stream_t* delta;
  svn_txdelta(&delta, svn_stream_from_stringbuf(source, pool), svn_stream_from_stringbuf(target, pool), pool);
  int count = 0;
  for (svn_txdelta_window_t* window = NULL;; ++count) {
    svn_error_t* error = svn_txdelta_next_window(&window, delta, pool);
    if (error != NULL) {
      svn_error_clear(error);
      count = -1;
      break;
    }
    if (window == NULL) {
      break;
    }
  }
  svn_pool_destroy(pool);
  return count;
}

} // namespace svn {

#endif // STOUT_SVN_HPP
