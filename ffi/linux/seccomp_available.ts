/**
 * Whether the kernel takes seccomp filters of ours, asked without installing any.
 *
 * @module
 */

import { ERRNO, errnoName } from "./errno.ts";
import type { Libc } from "./libc.ts";

/** SECCOMP_SET_MODE_FILTER. include/uapi/linux/seccomp.h. */
const SET_MODE_FILTER = 1;
/** SECCOMP_FILTER_FLAG_NEW_LISTENER. */
const NEW_LISTENER = 8;
/** errno is wrong once in a hundred thousand calls (libc.ts): what looks wrong is asked again. */
const ATTEMPTS = 3;

/**
 * Name of the error that a filter would be refused with, `undefined` for none.
 * Asked with a program at address 0: a kernel that takes filters finds fault
 * with the address, and nothing is installed. seccomp(2). What only a filter
 * itself would be refused for is not found, a second listener for one.
 */
export function filterRefusal(
  libc: Libc,
  options: { readonly hasListener: boolean },
): string | undefined {
  const flags = options.hasListener ? NEW_LISTENER : 0;
  let result = 0;
  for (let count = 0; count < ATTEMPTS; count++) {
    result = libc.call("seccomp", [SET_MODE_FILTER, flags, 0]);
    if (result === -ERRNO.EFAULT) return undefined;
  }
  return errnoName(-result);
}
