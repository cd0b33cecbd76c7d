import { evictBundles, markUsed } from "../../driver/host/bundle_cache.ts";
import { assertEquals } from "../../driver/std.ts";

/** A folder with bundles of falling age, and a stranger's file. */
async function withBundles(
  body: (folder: string, names: readonly string[]) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "driverspace-bundles-" });
  try {
    const names = ["a", "b", "c", "d"].map((letter) =>
      `${letter.repeat(64)}.js`
    );
    for (const [index, name] of names.entries()) {
      const path = `${folder}/${name}`;
      await Deno.writeTextFile(path, "");
      const used = new Date(Date.UTC(2026, 0, 1 + index));
      await Deno.utime(path, used, used);
    }
    await Deno.writeTextFile(`${folder}/notes.js`, "");
    await body(folder, names);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function listing(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

Deno.test("The bundles longest not used make way, and nobody else's file does", async () => {
  await withBundles(async (folder, names) => {
    await evictBundles(folder, 2);
    assertEquals(listing(folder), [...names.slice(2), "notes.js"]);
  });
});

Deno.test("A bundle that is used again is kept", async () => {
  await withBundles(async (folder, names) => {
    const [oldest = ""] = names;
    await markUsed([`${folder}/${oldest}`, `${folder}/not-there.js`]);
    await evictBundles(folder, 1);
    assertEquals(listing(folder), [oldest, "notes.js"]);
  });
});
