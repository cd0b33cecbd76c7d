/**
 * For runs as another user: a runtime and a driver where that user can reach
 * them. The runtime may lie in a home folder that is closed to others.
 */

import { bundleOf } from "./harness.ts";

/** Whom to become, and with what. */
export interface Reachable {
  readonly denoPath: string;
  readonly driver: string;
  readonly user: { readonly userId: number; readonly groupId: number };
}

/** The user that owns nothing. */
const NOBODY = 65534;

/** Copies what is needed for as long as `body` runs. */
export async function withReachableDeno(
  body: (reachable: Reachable) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "driverspace-runtime-" });
  try {
    await Deno.chmod(folder, 0o755);
    const denoPath = `${folder}/deno`;
    const driver = `${folder}/probe.js`;
    await Deno.copyFile(Deno.execPath(), denoPath);
    await Deno.chmod(denoPath, 0o755);
    await Deno.copyFile(await bundleOf("probe"), driver);
    await Deno.chmod(driver, 0o644);
    const user = { userId: NOBODY, groupId: NOBODY };
    await body({ denoPath, driver, user });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
