/**
 * What `run` says on kernels that refuse a layer of the sandbox: a code, a
 * reason and a remedy, and never a weaker start that nobody was told of.
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../../driver/std.ts";
import { poorerKernel } from "../sandbox/harness.ts";
import type { RefusedCall } from "../sandbox/poorer_kernel.ts";
import { Folder, Spawned, type SpawnedResult, testOn } from "./spawned.ts";

/** `errno` of Linux, include/uapi/asm-generic. */
const [EPERM, EINVAL, ENOSYS] = [1, 22, 38];
/** The flags of seccomp(2), and what each filter here has of them. */
const FLAGS = 1;
const [OF_THE_DRIVER, OF_STAGE_2] = [0, 1];

async function runOn(
  refused: readonly RefusedCall[],
  ...args: readonly string[]
): Promise<SpawnedResult> {
  const how = ["--virtual", "multimeter", ...args];
  return await calledOn(refused, ["run", "usbtmc", ...how]);
}

/** Waits for its end; stops it in order once it has printed all of `until`, if anything. */
async function calledOn(
  refused: readonly RefusedCall[],
  args: readonly string[],
  until: readonly RegExp[] = [],
): Promise<SpawnedResult> {
  using folder = new Folder();
  const before = await poorerKernel(Deno.execPath(), refused);
  const log = ["--log", `${folder.path}/a.log`];
  await using spawned = new Spawned([...args, ...log], {}, before);
  for (const pattern of until) await spawned.printed(pattern);
  if (until.length > 0) spawned.signal("SIGTERM");
  return await spawned.result();
}

function seccomp(flags?: number): RefusedCall {
  const only = flags === undefined
    ? {}
    : { only: { argument: FLAGS, value: flags } };
  return { call: "seccomp", errno: EINVAL, ...only };
}

interface Refusing {
  readonly name: string;
  readonly bus: "preload" | "notify";
  readonly refused: RefusedCall;
  readonly says: string;
}

const REFUSING: readonly Refusing[] = [
  {
    name: "every seccomp filter",
    bus: "preload",
    refused: seccomp(),
    says: "Cannot confine the driver: seccomp: EINVAL. " +
      "Use a kernel with CONFIG_SECCOMP_FILTER",
  },
  {
    name: "the filter of the driver",
    bus: "notify",
    refused: seccomp(OF_THE_DRIVER),
    says: "Cannot confine the driver: seccomp: EINVAL. " +
      "Use a kernel with CONFIG_SECCOMP_FILTER",
  },
  {
    name: "the filter of stage 2",
    bus: "notify",
    refused: seccomp(OF_STAGE_2),
    says: "Cannot enter stage 2: seccomp: EINVAL. " +
      "Use a kernel with CONFIG_SECCOMP_FILTER",
  },
  {
    name: "Landlock",
    bus: "notify",
    refused: { call: "landlock_create_ruleset", errno: ENOSYS },
    says: "Cannot confine the driver: this kernel has no Landlock. " +
      "Use a kernel with Landlock (5.13",
  },
  {
    name: "close_range, as old container runtimes do",
    bus: "notify",
    refused: { call: "close_range", errno: EPERM },
    says: "Cannot confine the driver: close_range: EPERM. " +
      "Every kernel with Landlock has it, so a container keeps it back: use a " +
      "newer container runtime",
  },
];

for (const { name, bus, refused, says } of REFUSING) {
  testOn(bus, `A kernel that refuses ${name} ends run with 77`, async () => {
    const { code, out, err } = await runOn([refused]);
    assertEquals(code, 77, out + err);
    assertStringIncludes(err, says);
    assert(!out.includes("NOT CONFINED") && !out.includes("reading"), out);
  });
}

const NO_NAMESPACES: RefusedCall = { call: "unshare", errno: EPERM };

testOn(
  "preload",
  "Without namespaces run is confined by the profile virtual, and says aloud that it is weaker",
  async () => {
    const { code, out, err } = await calledOn(
      [NO_NAMESPACES],
      ["run", "usbtmc", "--virtual", "multimeter"],
      [/sandbox WEAKER: Landlock ABI \d+, seccomp, stage 2/, /reading .* V/],
    );
    assertEquals([code, err], [0, ""], out);
    assertMatch(
      out,
      /confined by virtual bus A .* since B cannot be had: Unprivileged user namespaces are refused/,
    );
    assertMatch(out, /^WEAKER: profile virtual, for virtual devices only/m);
  },
);

testOn(
  "preload",
  "Without namespaces call prints the answer alone, and its warning apart",
  async () => {
    const { code, out, err } = await calledOn([NO_NAMESPACES], [
      ...["call", "usbtmc", "*IDN?", "--virtual", "multimeter"],
    ]);
    assertEquals(code, 0, err);
    assertMatch(out, /^.*,.*\n$/);
    assertMatch(err, /^WEAKER: profile virtual.*\n$/);
  },
);

testOn(
  "preload",
  "Without namespaces a profile that was named is not exchanged for a weaker one",
  async () => {
    const { code, out, err } = await runOn(
      [NO_NAMESPACES],
      ...["--profile", "jitless"],
    );
    assertEquals(code, 77, out + err);
    assertStringIncludes(err, "in profile jitless here: Unprivileged user");
    assertStringIncludes(err, "Leave --profile out");
    assert(!out.includes("reading"), out);
  },
);

testOn(
  "notify",
  "A client of bus B that shows another one ends with 77 and the reason",
  async () => {
    const before = [
      ...[Deno.execPath(), "run", "--quiet", "--allow-all"],
      new URL("../../cli.ts", import.meta.url).pathname,
      ...["simulate", "multimeter", "--transport", "notify", "--"],
    ];
    await using spawned = new Spawned(
      ["run", "usbtmc", "--virtual", "multimeter"],
      {},
      before,
    );
    const { code, err } = await spawned.result();
    assertEquals(code, 77, err);
    assertStringIncludes(
      err,
      "the kernel refused a filter with a listener: EBUSY. " +
        "A client of such a bus cannot show another one",
    );
  },
);
