/* A warning that upstream's compiler did not have: only -Wno-error in CFLAGS lets this be compiled. */
static int of_another_compiler(void)
{
  return 0;
}

int zoo_client_version(void)
{
  return 345;
}
