/**
 * The configuration a module goes by: the nearest `deno.json` above it, as Deno
 * itself would take it. It resolves the module's bare imports.
 *
 * @module
 */

/** The nearest configuration above a local module; `undefined` for none and for remote ones. */
export async function nearestConfig(
  moduleUrl: string,
): Promise<string | undefined> {
  if (!moduleUrl.startsWith("file:")) return undefined;
  for (let folder = new URL(".", moduleUrl);;) {
    for (const name of ["deno.json", "deno.jsonc"]) {
      const path = decodeURIComponent(new URL(name, folder).pathname);
      if (await isFile(path)) return path;
    }
    const above = new URL("..", folder);
    if (above.href === folder.href) return undefined;
    folder = above;
  }
}

/** As flags of `deno`. Lock files are left alone: nothing of ours writes one. */
export function configFlags(config: string | undefined): string[] {
  return config === undefined
    ? ["--no-config", "--no-lock"]
    : [`--config=${config}`, "--no-lock"];
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}
