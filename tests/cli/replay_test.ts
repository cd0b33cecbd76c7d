/** From a real driver's failure over the virtual bus to its replay, by the command. */

import { readBundle } from "../../driver/host/crash/crash_bundle.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../../driver/std.ts";
import {
  driverspace,
  Folder,
  Spawned,
  type SpawnedResult,
  testOn,
} from "./spawned.ts";

const DRIVER = fixture("fickle_driver.ts");

/** Has the driver fail once, recorded, and gives the bundle's path. */
async function bundleOf(
  folder: Folder,
  fails: string,
  more: readonly string[] = ["--record-payloads"],
): Promise<string> {
  await using run = new Spawned([
    ...["run", DRIVER, "--virtual", "loopback", ...more],
    ...["--set", `fails=${fails}`, "--set", "at=24"],
    ...["--log", `${folder.path}/a.log`],
  ], { XDG_STATE_HOME: `${folder.path}/state` });
  await run.printed(/Crash bundle: \S+\n/);
  run.signal("SIGKILL");
  const [, path = ""] = /Crash bundle: (\S+)/.exec(run.text) ?? [];
  return path;
}

function replay(path: string, ...more: string[]): Promise<SpawnedResult> {
  return driverspace(["replay", path, "--driver", DRIVER, ...more]);
}

testOn(
  "notify",
  "A handler that throws for a certain report throws again in a replay",
  async () => {
    using folder = new Folder();
    const path = await bundleOf(folder, "throw");
    const { code, out, err } = await replay(path);
    assertEquals([code, err], [0, ""], out);
    assertStringIncludes(
      out,
      "Reproduced: report reports fails again: RangeError: Cannot bear report 24",
    );
    // All that a handler may use was used, and is in it.
    for (
      const text of [
        "→ call receive echo",
        "= looked echo",
        "← chance loop",
        "← now loop",
        "timer tick",
        "→ call controlIn",
        "→ call out 0x01",
        "→ emit report",
      ]
    ) assertStringIncludes(out, text);
    assertMatch(out, /\d+ steps the same, trace hash [0-9a-f]{16}/);
    const again = await replay(path);
    assertEquals(again.out, out, "The same again, to the letter");
  },
);

testOn(
  "notify",
  "A replay stops at the first thing the driver does otherwise, and says which",
  async () => {
    using folder = new Folder();
    const path = await bundleOf(folder, "throw");
    const changed = changedDriver(
      folder,
      "sum: state.sum }",
      "sum: -state.sum }",
    );
    const { code, out } = await driverspace([
      "replay",
      path,
      "--driver",
      changed,
    ]);
    assertEquals(code, 1, out);
    assertMatch(
      out,
      /Diverged at event \d+ \(another detail\): then → emit report .*"sum":1}; now → emit report .*"sum":-1}/,
    );
  },
);

testOn(
  "notify",
  "A driver whose bug was mended does not fail again",
  async () => {
    using folder = new Folder();
    const path = await bundleOf(folder, "throw");
    const mended = changedDriver(
      folder,
      "throw new RangeError",
      "return void new RangeError",
    );
    const { code, out } = await driverspace([
      "replay",
      path,
      "--driver",
      mended,
    ]);
    assertEquals(code, 1, out);
    assertMatch(
      out,
      /then ✗ failure reports: RangeError: Cannot bear report 24; now → emit report/,
    );
  },
);

testOn(
  "notify",
  "A driver with another manifest is refused, unless that is wanted",
  async () => {
    using folder = new Folder();
    const path = await bundleOf(folder, "throw");
    const other = changedDriver(folder, "Works until it does not", "Works");
    const refused = await driverspace(["replay", path, "--driver", other]);
    assertEquals(refused.code, 1);
    assertStringIncludes(
      refused.err,
      "has changed since: the hash of its manifest",
    );
    assertStringIncludes(refused.err, "--changed");
    const wanted = await driverspace([
      ...["replay", path, "--driver", other, "--changed"],
    ]);
    assertEquals(wanted.code, 0, wanted.out);
  },
);

testOn("notify", "A hang hangs again, and is ended", async () => {
  using folder = new Folder();
  const path = await bundleOf(folder, "hang");
  assertEquals(readBundle(Deno.readFileSync(path)).end.class, "hang");
  const { code, out } = await replay(path, "--limit", "2s");
  assertEquals(code, 0, out);
  assertMatch(
    out,
    /Reproduced: report reports \(event \d+\) does not come back within 2000 ms/,
  );
});

testOn(
  "notify",
  "A rejection that nobody awaits is rejected again",
  async () => {
    using folder = new Folder();
    const path = await bundleOf(folder, "reject");
    const { code, out } = await replay(path);
    assertEquals(code, 0, out);
    assertStringIncludes(
      out,
      "a promise is rejected that nobody awaits: Error: nobody awaits it",
    );
  },
);

testOn("notify", "Memory that was used up is used up again", async () => {
  using folder = new Folder();
  const path = await bundleOf(folder, "memory");
  const { code, out } = await replay(path, "--limit", "30s");
  const { end } = readBundle(Deno.readFileSync(path));
  // On a busy machine the collector may keep it from beating first.
  if (end.class === "hang") return;
  assertEquals([end.class, code], ["out-of-memory", 0], out);
  assertMatch(
    out,
    /Reproduced: report reports \(event \d+\) uses up its memory/,
  );
});

testOn(
  "notify",
  "A crash of native code is not repeated, and that is said",
  async () => {
    using folder = new Folder();
    const path = await bundleOf(folder, "crash");
    const { code, out } = await replay(path);
    assertEquals(code, 1, out);
    assertStringIncludes(
      out,
      "The driver does the same up to the last event, in report reports; " +
        "native code crashed, which a replay does not run",
    );
  },
);

testOn(
  "notify",
  "A bundle without bytes is shown, and what would have to be recorded is said",
  async () => {
    using folder = new Folder();
    const path = await bundleOf(folder, "throw", []);
    const { code, out } = await driverspace(["replay", path]);
    assertEquals(code, 1);
    assertMatch(out, /report reports, 8 bytes\n/);
    assertStringIncludes(out, "no payloads were recorded");
    assertStringIncludes(out, "--record-payloads");
  },
);

testOn(
  "notify",
  "replay --json prints an object a line, the verdict last",
  async () => {
    using folder = new Folder();
    const path = await bundleOf(folder, "throw");
    const { code, out } = await replay(path, "--json");
    assertEquals(code, 0);
    const lines = out.trim().split("\n").map((line) => JSON.parse(line));
    const verdict = lines.at(-1);
    assertEquals([verdict.type, verdict.verdict], ["verdict", "reproduced"]);
    const report = lines.find(({ kind }) => kind === "report");
    assertMatch(report.data, /^[0-9a-f]{16}$/);
    assert(lines.slice(0, -1).every(({ type }) => type === "step"));
  },
);

Deno.test("What is no bundle ends with 65 and says why; a seed says where seeds go", async () => {
  using folder = new Folder();
  const file = (text: string): string => {
    const path = Deno.makeTempFileSync({ dir: folder.path });
    Deno.writeTextFileSync(path, text);
    return path;
  };
  const bad: [string, string][] = [
    [`${folder.path}/none.json`, "there is no such file"],
    [folder.path, "it is no file"],
    [file(""), "it is cut, or none"],
    [file('{"format":"driverspace-crash-bundle","version":7}'), "version 7"],
    [file("x".repeat(2 * 1024 * 1024)), "no bundle has so many"],
  ];
  for (const [path, message] of bad) {
    const { code, err } = await driverspace(["replay", path]);
    assertEquals(code, 65, err);
    assertStringIncludes(err, message);
  }
  const seed = await driverspace(["replay", "51"]);
  assertEquals(seed.code, 2);
  assertStringIncludes(seed.err, "FIRST=51");
});

function fixture(name: string): string {
  return new URL(`../replay/fixtures/${name}`, import.meta.url).pathname;
}

/** The driver with one thing changed. */
function changedDriver(folder: Folder, from: string, to: string): string {
  const source = Deno.readTextFileSync(DRIVER);
  assertStringIncludes(source, from);
  const path = `${folder.path}/changed_driver.ts`;
  const root = new URL("../../driver/", import.meta.url).href;
  Deno.writeTextFileSync(
    path,
    source.replace(from, to).replaceAll('"../../../driver/', `"${root}`),
  );
  return path;
}
