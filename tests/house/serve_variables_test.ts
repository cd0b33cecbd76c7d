/** A service whose code asks for a variable that its unit does not grant would not start. */

import { SERVE_VARIABLES } from "../../driver/host/serve_permissions.ts";
import { assert, assertEquals } from "../../driver/std.ts";

const HOST = new URL("../../driver/host/", import.meta.url);
const ASKED = /(?:\benv\.get|\bvariable)\("([A-Z_]+)"\)/g;

async function* sources(folder: URL): AsyncGenerator<string, void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* sources(new URL(`${name}/`, folder));
    else if (name.endsWith(".ts")) {
      yield await Deno.readTextFile(new URL(name, folder));
    }
  }
}

Deno.test("Every variable that a supervisor's code asks for by name is granted by its unit", async () => {
  const granted = new Set<string>(SERVE_VARIABLES);
  const missing = new Set<string>();
  let asked = 0;
  for await (const source of sources(HOST)) {
    for (const [, name = ""] of source.matchAll(ASKED)) {
      asked++;
      if (!granted.has(name)) missing.add(name);
    }
  }
  assert(asked > 5, "The pattern finds what it looks for");
  assertEquals([...missing], []);
});
