/**
 * The layout and the import rule: a folder imports only what stands above it.
 * A file this test does not know fails it, so the map stays true.
 */

import { assert, assertEquals } from "../driver/std.ts";

const root = new URL("..", import.meta.url);

/** Parts of the tree in reading order, and what each may import besides itself. */
const PARTS: readonly {
  readonly name: string;
  readonly files: RegExp;
  readonly mayImport: readonly string[];
}[] = [
  { name: "words", files: /^driver\/[a-z0-9_]+(\.d)?\.ts$/, mayImport: [] },
  {
    name: "loop",
    files: /^driver\/loop\/[a-z0-9_]+\.ts$/,
    mayImport: ["words"],
  },
  {
    name: "class",
    files: /^driver\/class\/[a-z0-9_]+\/[a-z0-9_]+\.ts$/,
    mayImport: ["words", "loop"],
  },
  {
    // A process of its own that a command starts: where a bundle meets a driver.
    name: "replay process",
    files: /^driver\/host\/replay_main\.ts$/,
    mayImport: ["words", "loop", "replay", "host"],
  },
  {
    name: "replay",
    files: /^driver\/replay\/[a-z0-9_]+\.ts$/,
    mayImport: ["words", "loop"],
  },
  {
    name: "web",
    files: /^driver\/web\/[a-z0-9_]+\.ts$/,
    mayImport: ["words", "loop"],
  },
  {
    name: "sim",
    files: /^driver\/sim\/(devices\/)?[a-z0-9_]+\.ts$/,
    mayImport: ["words", "loop", "class"],
  },
  {
    // Programs that hold a device or list them, where libusb, loop and frames
    // meet. Nothing imports them: hosts start them.
    name: "process",
    files: /^ffi\/[a-z_]*process[a-z_]*\.ts$/,
    mayImport: ["words", "loop", "ffi", "linux", "policy", "host"],
  },
  {
    name: "ffi",
    files: /^ffi\/[a-z0-9_]+\.ts$/,
    mayImport: ["words", "loop"],
  },
  {
    name: "linux",
    files: /^ffi\/linux\/[a-z0-9_]+\.ts$/,
    mayImport: ["words", "loop", "sim", "policy"],
  },
  {
    name: "policy",
    files: /^driver\/host\/sandbox_policy[a-z_]*\.ts$/,
    mayImport: ["words"],
  },
  {
    // What runs in a browser. It is handed out as text and shares no code with
    // what hands it out.
    name: "page",
    files:
      /^driver\/host\/dashboard\/page\/[a-z0-9_]+\.(js|d\.ts|html|css|svg)$/,
    mayImport: [],
  },
  {
    name: "host",
    files: /^driver\/host\/([a-z0-9_]+\/)?[a-z0-9_]+(\.d)?\.ts$/,
    mayImport: ["words", "loop", "policy", "page"],
  },
  {
    name: "module",
    files: /^mod\.ts$/,
    mayImport: [
      "words",
      "loop",
      "class",
      "web",
      "sim",
      "ffi",
      "linux",
      "policy",
      "host",
    ],
  },
  {
    // Puts the program together: hands hosts what reaches hardware.
    name: "cli",
    files: /^cli\.ts$/,
    mayImport: ["words", "class", "sim", "ffi", "linux", "host"],
  },
];

const IMPORT = /(?:^|\n)\s*(?:import|export)\s[^;]*?from\s+"([^"]+)"/g;
const BARE_IMPORT = /(?:^|\n)import\s+"([^"]+)"/g;

/** Every source file that is published, as paths from the root. */
async function sourceFiles(): Promise<string[]> {
  const files: string[] = [];
  async function walk(folder: string): Promise<void> {
    for await (const entry of Deno.readDir(new URL(folder, root))) {
      const path = `${folder}${entry.name}`;
      if (entry.isDirectory) await walk(`${path}/`);
      else if (/\.(ts|js|html|css|svg)$/.test(path)) files.push(path);
    }
  }
  for (const folder of ["driver/", "ffi/"]) await walk(folder);
  for await (const entry of Deno.readDir(root)) {
    if (entry.isFile && entry.name.endsWith(".ts")) files.push(entry.name);
  }
  return files.sort();
}

function partOf(path: string): string | undefined {
  return PARTS.find((part) => part.files.test(path))?.name;
}

/** Where a relative import leads, as a path from the root. */
function resolve(from: string, specifier: string): string {
  return new URL(specifier, new URL(from, "file:///")).pathname.slice(1);
}

function importsOf(source: string): string[] {
  const found = [...source.matchAll(IMPORT), ...source.matchAll(BARE_IMPORT)];
  return found.map((match) => match[1] ?? "");
}

Deno.test("Every source file has a place in the layout", async () => {
  const strangers = (await sourceFiles()).filter((path) =>
    partOf(path) === undefined
  );
  assertEquals(strangers, []);
});

Deno.test("Imports point one way", async () => {
  const wrong: string[] = [];
  for (const path of await sourceFiles()) {
    const part = PARTS.find((candidate) => candidate.files.test(path));
    if (part === undefined) continue;
    const source = await Deno.readTextFile(new URL(path, root));
    for (const specifier of importsOf(source)) {
      if (!specifier.startsWith(".")) continue;
      const target = resolve(path, specifier);
      const to = partOf(target);
      const isAllowed = to === part.name ||
        part.mayImport.includes(to ?? "nowhere");
      if (!isAllowed) wrong.push(`${path} imports ${target}`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("The page is imported as text, never as code", async () => {
  const wrong: string[] = [];
  for (const path of await sourceFiles()) {
    if (partOf(path) === "page") continue;
    const source = await Deno.readTextFile(new URL(path, root));
    const asCode =
      /from\s+"[^"]*\/page\/[^"]*"(?!\s+with\s+\{\s*type:\s+"text"\s*\})/g;
    for (const [found] of source.matchAll(asCode)) {
      wrong.push(`${path}: ${found}`);
    }
  }
  assertEquals(wrong, []);
});

/** Files that give a package its types, and the only ones to import it. */
const TYPED_FACES: readonly string[] = [
  "driver/std.ts",
  "driver/host/mqtt/mqtt_client.ts",
  "driver/host/metrics/opentelemetry_api.ts",
];

Deno.test("Only typed faces import packages, and only node: built-ins besides", async () => {
  const wrong: string[] = [];
  for (const path of await sourceFiles()) {
    if (TYPED_FACES.includes(path)) continue;
    const source = await Deno.readTextFile(new URL(path, root));
    for (const specifier of importsOf(source)) {
      const isLocal = specifier.startsWith(".") ||
        specifier.startsWith("node:");
      if (!isLocal) wrong.push(`${path} imports ${specifier}`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("The MQTT client is imported when the bridge connects, and by nobody else", async () => {
  const users: string[] = [];
  for (const path of await sourceFiles()) {
    const source = await Deno.readTextFile(new URL(path, root));
    const isUser = importsOf(source.replaceAll(/import type [^;]*;/g, ""))
      .some((specifier) => specifier.endsWith("/mqtt_client.ts"));
    if (isUser) users.push(path);
  }
  assertEquals(users, []);
  const link = await Deno.readTextFile(
    new URL("driver/host/mqtt/broker_link.ts", root),
  );
  assert(link.includes('await import("./mqtt_client.ts")'));
});

Deno.test("OpenTelemetry is imported when metrics are exported, and by nobody else", async () => {
  const users: string[] = [];
  for (const path of await sourceFiles()) {
    const source = await Deno.readTextFile(new URL(path, root));
    const isUser = importsOf(source.replaceAll(/import type [^;]*;/g, ""))
      .some((specifier) => specifier.endsWith("/opentelemetry_api.ts"));
    if (isUser) users.push(path);
  }
  assertEquals(users, []);
  const user = await Deno.readTextFile(
    new URL("driver/host/metrics/open_telemetry.ts", root),
  );
  assert(user.includes('await import("./opentelemetry_api.ts")'));
});

Deno.test("Deno.dlopen is said in ffi only", async () => {
  const wrong: string[] = [];
  for (const path of await sourceFiles()) {
    if (path.startsWith("ffi/")) continue;
    const source = await Deno.readTextFile(new URL(path, root));
    if (/\bDeno\.dlopen\(/.test(source)) wrong.push(path);
  }
  assertEquals(wrong, []);
});

Deno.test("The top level holds what was agreed and nothing else", async () => {
  const agreed = new Set([
    ".ci",
    ".git",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "cli.ts",
    "deno.json",
    "deno.lock",
    "docs",
    "driver",
    "ffi",
    "mod.ts",
    "node_modules",
    "tests",
  ]);
  for await (const entry of Deno.readDir(root)) {
    const isKnown = agreed.has(entry.name) || /\.log(\.\d)?$/.test(entry.name);
    assert(isKnown, `${entry.name} is not part of the layout`);
  }
});

Deno.test("No source names a registry's host or is left unfinished", async () => {
  // Spelled apart, so that this file does not find itself.
  const marks = [
    "TO" + "DO",
    "FIX" + "ME",
    "registry." + "npmjs",
    "dl.deno." + "land",
  ];
  for (const path of await sourceFiles()) {
    const source = await Deno.readTextFile(new URL(path, root));
    for (const mark of marks) {
      assert(!source.includes(mark), `${path} contains ${mark}`);
    }
  }
});
