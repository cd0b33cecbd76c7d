/**
 * Claim C1: under a scoped `--allow-ffi` alone, JavaScript reads any file by
 * libc, which it reaches through the one library it was allowed.
 *
 *     canary.ts LIBRARY FILE
 */

import { AT_FDCWD } from "../../ffi/linux/file_status.ts";
import { cstring, Libc } from "../../ffi/linux/libc.ts";

const [library = "", path = ""] = Deno.args;
try {
  Deno.readTextFileSync(path);
  console.log("Deno gave it");
} catch {
  console.log("Deno refused");
}
const libc = Libc.open(library);
const descriptor = libc.call("openat", [AT_FDCWD, cstring(path), 0, 0]);
const bytes = new Uint8Array(64);
const length = libc.call("read", [descriptor, bytes, bytes.length]);
console.log(`libc gave ${new TextDecoder().decode(bytes.subarray(0, length))}`);
