/* The field that is summed: the decimal number behind a line's first tab. */
#pragma once

#include <stdint.h>
#include <string.h>

static inline int64_t field_of(const char *line, const char *end) {
  const char *at = (const char *)memchr(line, '\t', (size_t)(end - line));
  int64_t value = 0;
  if (at == NULL) return 0;
  while (++at < end && *at >= '0' && *at <= '9') value = value * 10 + (*at - '0');
  return value;
}
