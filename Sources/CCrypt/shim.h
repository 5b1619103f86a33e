// libcrypt's bcrypt: what passwords are kept as. `crypt_rn` keeps nothing outside its arguments.
#include <crypt.h>

// The memory that a call works in; the struct itself is too large for Swift to see.
enum { kvd_crypt_memory_bytes = sizeof(struct crypt_data) };
