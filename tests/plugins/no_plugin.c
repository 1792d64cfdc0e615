/* A library like any other. */
__attribute__((visibility("default"))) int run(void);
int run(void) {
  return 0;
}
