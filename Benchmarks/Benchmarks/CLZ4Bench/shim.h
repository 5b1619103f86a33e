// liblz4's frame format: what snapshots are compressed with.
#include <lz4frame.h>
