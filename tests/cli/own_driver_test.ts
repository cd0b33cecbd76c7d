/** Drivers that people write: bundled, kept by content, refused with a reason. */

import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../driver/std.ts";
import { driverspace, Folder, ranUntil, Spawned, testOn } from "./spawned.ts";

const MOUSE = new URL("../../docs/examples/mouse_driver.ts", import.meta.url)
  .pathname;

testOn(
  "notify",
  "The README's driver drives a virtual mouse in the full sandbox",
  async () => {
    using folder = new Folder();
    // Its inputs are armed before it is ready: a report may come first.
    const { code, out, err } = await ranUntil([
      /moved x=-?\d+ y=-?\d+ buttons=\d/,
      /sandbox Landlock ABI \d+, seccomp, stage 2/,
    ], [MOUSE, "--virtual", "mouse", "--log", `${folder.path}/a.log`]);
    assertEquals([code, err], [0, ""], out);
  },
);

testOn(
  "preload",
  "The README's driver runs in direct mode, and answers a command",
  async () => {
    using folder = new Folder();
    const { code, err } = await driverspace([
      ...["call", MOUSE, "home", "--virtual", "mouse", "--direct"],
      ...["--log", `${folder.path}/a.log`],
    ]);
    assertEquals([code, err], [0, ""]);
  },
);

Deno.test("The README shows the driver that is tested", () => {
  const readme = Deno.readTextFileSync(
    new URL("../../README.md", import.meta.url),
  );
  assertStringIncludes(readme, Deno.readTextFileSync(MOUSE));
});

testOn(
  "notify",
  "A driver with a package from npm runs in the sandbox, and its bundle is kept",
  async () => {
    using folder = new Folder();
    Deno.mkdirSync(`${folder.path}/logs`);
    const bundles = (): string[] =>
      [...Deno.readDirSync(`${folder.path}/cache/driverspace`)]
        .map(({ name }) => name).filter((name) => name.endsWith(".js")).sort();
    const run = async (): Promise<void> => {
      const { code, out, err } = await ranUntil([
        /parsed port=4/,
        / ready /,
        /sandbox Landlock/,
      ], [
        ...[fixture("npm_driver.ts"), "--virtual", "loopback"],
        ...["--log", `${folder.path}/logs/a.log`],
      ], {
        XDG_CACHE_HOME: `${folder.path}/cache`,
        DENO_DIR: denoFolder(),
      });
      assertEquals([code, err], [0, ""], out);
    };
    await run();
    const made = bundles();
    assertEquals(made.length, 2, "the driver and the launcher");
    const times = made.map((name) => changedAt(folder, name));
    await run();
    assertEquals(bundles(), made);
    assertEquals(made.map((name) => changedAt(folder, name)), times);
  },
);

testOn(
  "notify",
  "A driver that imports at run time is refused with the reason, by the sandbox only",
  async () => {
    using folder = new Folder();
    const { code, out, err } = await driverspace([
      ...["run", fixture("late_driver.ts"), "--virtual", "loopback"],
      ...["--log", `${folder.path}/a.log`],
    ]);
    assertEquals(code, 78, out);
    assertStringIncludes(err, "a name that is known only at run time");
    assertStringIncludes(err, "import(name)");
    assertStringIncludes(err, "Import it by a fixed name");
    assertStringIncludes(err, "--direct runs without a sandbox");
  },
);

for (
  const [way, transport, flags] of [
    ["the sandbox", "notify", []],
    ["direct mode", "preload", ["--direct"]],
  ] as const
) {
  testOn(
    transport,
    `A driver that leaks ends at its bound of memory, in ${way}, and is started again`,
    async () => {
      using folder = new Folder();
      await using run = new Spawned([
        ...["run", fixture("greedy_driver.ts"), "--virtual", "loopback"],
        ...["--log", `${folder.path}/a.log`, ...flags],
      ]);
      await run.printed(/ran out of memory[^]* ready /);
      run.signal("SIGTERM");
      await run.result();
    },
  );
}

Deno.test("A driver that cannot find this package is told how to name it", async () => {
  using folder = new Folder();
  const path = `${folder.path}/mouse_driver.ts`;
  Deno.copyFileSync(MOUSE, path);
  const { code, err } = await driverspace(["run", path, "--virtual", "mouse"]);
  assertEquals(code, 78);
  assertStringIncludes(err, "deno add jsr:@driverspace/usb");
  Deno.writeTextFileSync(
    `${folder.path}/deno.json`,
    JSON.stringify({
      imports: {
        "@driverspace/usb": new URL("../../mod.ts", import.meta.url).href,
      },
    }),
  );
  const told = await driverspace(["explain", path, "--json"]);
  assertEquals(told.code, 0, told.err);
  assert(JSON.parse(told.out).driver === "mouse");
});

function changedAt(folder: Folder, name: string): number | undefined {
  return Deno.statSync(`${folder.path}/cache/driverspace/${name}`).mtime
    ?.getTime();
}

/** Where Deno keeps packages, whatever the cache folder of ours is. */
function denoFolder(): string {
  const home = Deno.env.get("XDG_CACHE_HOME") ??
    `${Deno.env.get("HOME")}/.cache`;
  return Deno.env.get("DENO_DIR") ?? `${home}/deno`;
}

function fixture(name: string): string {
  return new URL(`./fixtures/${name}`, import.meta.url).pathname;
}
