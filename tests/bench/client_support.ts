/** What the bench's parent needs of the binding: the path that `--allow-ffi` names. */

import { libraryCandidates } from "../../ffi/library.ts";

/** The first libusb there is, by absolute path. */
export function findLibrary(): string | undefined {
  const { os, arch } = Deno.build;
  return libraryCandidates({ os, arch }).find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}
