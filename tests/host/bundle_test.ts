import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
} from "../../driver/std.ts";
import {
  bundleDriver,
  BundleError,
  bundleModule,
} from "../../driver/host/bundle.ts";
import { findLateImports } from "../../driver/host/bundle_scan.ts";

/** A folder with modules, and a cache beside it. */
async function withModules(
  files: Readonly<Record<string, string>>,
  body: (url: (name: string) => string, cacheFolder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "driverspace-bundle-" });
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    await body((name) => `file://${folder}/${name}`, `${folder}/cache`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function outputOf(path: string): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-config", "--no-remote", "--no-npm", path],
  }).output();
  return new TextDecoder().decode(stdout).trim();
}

const PROCESS = `export async function serveDriver(driver: { name: string }) {
  console.log("serving", driver.name);
}\n`;

Deno.test("A driver and the process around it become one file that stands alone", async () => {
  await withModules({
    "process.ts": PROCESS,
    "names.ts": 'export const NAME: string = "meter";\n',
    "driver.ts":
      'import { NAME } from "./names.ts";\nexport default { name: NAME };\n',
  }, async (url, cacheFolder) => {
    const modules = {
      driverUrl: url("driver.ts"),
      processUrl: url("process.ts"),
    };
    const bundle = await bundleDriver(modules, { cacheFolder });
    assertEquals(bundle.isNew, true);
    assertMatch(bundle.path, /\/[0-9a-f]{64}\.js$/);
    await Deno.remove(new URL(url("names.ts")));
    assertEquals(await outputOf(bundle.path), "serving meter");
  });
});

Deno.test("A bundle is made again only when something it holds has changed", async () => {
  await withModules({
    "main.ts": 'import { WORD } from "./word.ts";\nconsole.log(WORD);\n',
    "word.ts": 'export const WORD = "one";\n',
  }, async (url, cacheFolder) => {
    const first = await bundleModule(url("main.ts"), { cacheFolder });
    const again = await bundleModule(url("main.ts"), { cacheFolder });
    assertEquals([again.isNew, again.path], [false, first.path]);
    const word = new URL(url("word.ts"));
    await Deno.writeTextFile(word, 'export const WORD = "two";\n');
    const changed = await bundleModule(url("main.ts"), { cacheFolder });
    assert(changed.isNew && changed.path !== first.path);
    assertEquals(await outputOf(changed.path), "two");
    // Somebody wrote into the kept file: it is not used.
    await Deno.writeTextFile(changed.path, "console.log('evil');\n");
    const healed = await bundleModule(url("main.ts"), { cacheFolder });
    assertEquals([healed.isNew, healed.hash], [true, changed.hash]);
    assertEquals(await outputOf(healed.path), "two");
    const rest = [...Deno.readDirSync(cacheFolder)].map(({ name }) => name);
    assertEquals(rest.filter((name) => name.startsWith("work-")), []);
  });
});

Deno.test("A bundle that is made twice stays the same file: a sandbox may have let somebody read it", async () => {
  await withModules({
    "main.ts": "console.log('one');\n",
  }, async (url, cacheFolder) => {
    const make = (): ReturnType<typeof bundleModule> =>
      bundleModule(url("main.ts"), { cacheFolder });
    const first = await make();
    const { ino } = await Deno.stat(first.path);
    // As other processes find it that began before its record was written.
    for (const { name } of [...Deno.readDirSync(cacheFolder)]) {
      if (name.endsWith(".json")) Deno.removeSync(`${cacheFolder}/${name}`);
    }
    const others = await Promise.all([make(), make()]);
    assertEquals(others.map(({ path }) => path), [first.path, first.path]);
    assert(others.some(({ isNew }) => isNew));
    assertEquals((await Deno.stat(first.path)).ino, ino);
  });
});

Deno.test("Only the module that is bundled is the main one", async () => {
  await withModules({
    "main.ts":
      'import "./other.ts";\nif (import.meta.main) console.log("main");\n',
    "other.ts": 'if (import.meta.main) console.log("other");\n',
  }, async (url, cacheFolder) => {
    const bundle = await bundleModule(url("main.ts"), { cacheFolder });
    assertEquals(await outputOf(bundle.path), "main");
  });
});

Deno.test("An npm import is inside the bundle", async () => {
  await withModules({
    "main.ts":
      'import { parseArgs } from "npm:deno-std@1.4.0/cli/parse_args.js";\nconsole.log(parseArgs(["--port=4"]).port);\n',
  }, async (url, cacheFolder) => {
    const bundle = await bundleModule(url("main.ts"), { cacheFolder });
    assertEquals(await outputOf(bundle.path), "4");
  });
});

Deno.test("A bundle that would import at run time is refused with the reason", async () => {
  await withModules({
    "main.ts":
      'const name = "./" + Deno.args[0];\nconst found = await import(name);\nconsole.log(found);\n',
  }, async (url, cacheFolder) => {
    const error = await assertRejects(
      () => bundleModule(url("main.ts"), { cacheFolder }),
      BundleError,
      "known only at run time",
    );
    assert(error.message.includes("import(name)"), error.message);
  });
});

Deno.test("A module that is not there is refused by its name", async () => {
  await withModules({
    "main.ts": 'import "./absent.ts";\n',
  }, async (url, cacheFolder) => {
    await assertRejects(
      () => bundleModule(url("main.ts"), { cacheFolder }),
      BundleError,
      "absent.ts",
    );
  });
});

Deno.test("A cache folder that others may write is refused", async () => {
  await withModules({ "main.ts": "\n" }, async (url, cacheFolder) => {
    await Deno.mkdir(cacheFolder);
    await Deno.chmod(cacheFolder, 0o777);
    await assertRejects(
      () => bundleModule(url("main.ts"), { cacheFolder }),
      BundleError,
      "others may write",
    );
  });
});

Deno.test("Only code counts as an import", () => {
  const harmless = [
    'const a = "import(x)";',
    "const b = `import(${c}) import(y)`;",
    "// import(z)",
    "/* import(z) */ const d = 1 / 2;",
    "const e = /import\\(x\\)/.test('/');",
    "const f = [/[/]import(x)/, 1];",
    "this.import(g);",
    "reimport(h);",
    'import { writeSync } from "node:fs";',
    "console.log(import.meta.url);",
    "const i = `a${`b${1}`}import(x)`;",
  ];
  assertEquals(findLateImports(harmless.join("\n")), []);
});

Deno.test("Imports for run time are found with their line", () => {
  const late = findLateImports([
    "const a = 1;",
    "const b = await import(a);",
    "const c = `text ${await import(a)} text`;",
    "const d = a / 2; const e = import /* here */ (a);",
    'import f from "npm:left-pad";',
    'export * from "https://example.com/g.ts";',
  ].join("\n"));
  assertEquals(
    late.map(({ kind, line }) => `${kind} ${line}`),
    ["dynamic 2", "dynamic 3", "dynamic 4", "external 5", "external 6"],
  );
});
