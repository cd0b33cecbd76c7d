/** The permission sets of deno.json: what they grant, and that it is enough. */

import { libraryCandidates } from "../../ffi/library.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../driver/std.ts";
import { driverspace, testOn } from "./spawned.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

interface PermissionSets {
  readonly permissions: Readonly<
    Record<string, Readonly<Record<string, readonly string[] | true>>>
  >;
}

const SETS = (JSON.parse(
  Deno.readTextFileSync(`${ROOT}deno.json`),
) as PermissionSets).permissions;

/** A program on a virtual multimeter, with a set of the deno.json and no more. */
function withSet(
  set: string,
  program: readonly string[],
): ReturnType<typeof driverspace> {
  return driverspace([
    ...["simulate", "multimeter", "--transport", "preload", "--"],
    ...[Deno.execPath(), "run", "--quiet", "--no-prompt"],
    ...[`--config=${ROOT}deno.json`, `-P=${set}`, ...program],
  ]);
}

testOn(
  "preload",
  "The set of the virtual multimeter is what permissions prints",
  async () => {
    const name = "virtual-multimeter";
    const { code, out, err } = await driverspace([
      ...["permissions", "usbtmc", "--virtual", "multimeter"],
      ...["--log", "./driverspace-demo.log", "--set", name],
    ]);
    assertEquals([code, err], [0, ""]);
    const { ffi = [], ...printed } = (JSON.parse(out) as PermissionSets)
      .permissions[name] ?? {};
    const { ffi: ours = [], ...rest } = SETS[name] ?? {};
    assertEquals(printed, rest);
    // Ours is for every machine: it names the places where libusb may be.
    assert(ours !== true && ffi !== true && ours.includes(ffi[0] ?? ""));
  },
);

Deno.test("The set names libusb wherever distributions put it", () => {
  const places = new Set(
    ["x86_64", "aarch64"].flatMap((arch) =>
      libraryCandidates({ os: "linux", arch })
    ),
  );
  const paths = SETS["virtual-multimeter"]?.["ffi"];
  assert(paths !== undefined && paths !== true);
  assertEquals(new Set(paths), places);
});

testOn(
  "preload",
  "A program of direct mode has with its set all it needs and nothing it does not",
  async () => {
    const { code, out, err } = await withSet("virtual-multimeter", [
      `${ROOT}tests/cli/fixtures/by_set.ts`,
    ]);
    assertEquals(code, 0, err);
    assertEquals(JSON.parse(out), { missing: [], excess: [], model: "VM65" });
  },
);

// Deno gives /sys, /proc and /dev only to who has everything, and the command
// looks there; the driver that it starts has two descriptors.
testOn(
  "preload",
  "The command runs with its set, and sees the nodes",
  async () => {
    const { code, out, err } = await withSet("cli", [`${ROOT}cli.ts`, "list"]);
    assertEquals(code, 0, err);
    assertStringIncludes(out, "1209:0002  Driver Space Virtual Multimeter");
    assertStringIncludes(out, "yes");
  },
);
