/**
 * Where the lab keeps its guest image, outside the repository: it is large and
 * bound to the machine it was made on.
 */

/** The folder for the image and the snapshots; made if it is not there. */
export async function cacheFolder(): Promise<string> {
  const home = Deno.env.get("XDG_CACHE_HOME") ||
    `${Deno.env.get("HOME") ?? "/var/tmp"}/.cache`;
  const folder = Deno.env.get("LAB_CACHE") || `${home}/driverspace-lab`;
  await Deno.mkdir(folder, { recursive: true });
  return await Deno.realPath(folder);
}

/** Makes the image, and the User Mode Linux kernel if asked; seconds to minutes, once. */
export async function buildGuest(
  cache: string,
  options: { readonly uml: boolean },
): Promise<void> {
  if (Deno.build.arch !== "x86_64") {
    throw new Error("The lab's guest is x86-64 and was made for such hosts");
  }
  // One build at a time; runs go on in parallel.
  using lock = await Deno.open(`${cache}/lock`, { create: true, write: true });
  await lock.lock(true);
  await script("build.sh", [cache, Deno.execPath()]);
  if (options.uml) await script("build_uml.sh", [cache]);
}

async function script(name: string, args: readonly string[]): Promise<void> {
  const path = new URL(`image/${name}`, import.meta.url).pathname;
  const { success } = await new Deno.Command("bash", {
    args: [path, ...args],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  if (!success) throw new Error(`Cannot build the guest: ${name} failed`);
}
