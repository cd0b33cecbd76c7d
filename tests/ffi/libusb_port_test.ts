/** The port over libusb in processes of its own, with exactly these permissions. */

import { Loopback } from "../../driver/sim/devices/loopback.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../driver/std.ts";
import { findLibrary } from "../../ffi/library.ts";
import type { TransportName } from "../../ffi/linux/testing.ts";
import { shownBus, testOn } from "../linux/shown_bus.ts";

const LIBRARY = findLibrary();
const NODE = "/dev/bus/usb/001/002";
const CLIENT = new URL("./port_client.ts", import.meta.url).href;
/** A client takes well under a second; this is for a busy machine. */
const CLIENT_MS_MAX = 60_000;

/** As the device sends them: from sysfs, from libusb's tree or from the descriptor, they are the same. */
const CONFIGURATIONS = new Loopback().descriptors.configurations.map((
  bytes,
) => [
  ...bytes,
]);

interface ClientResult {
  readonly value: unknown;
  readonly code: number;
  readonly errors: string;
}

/** Runs a command of `port_client.ts` on a loopback device, with these permissions. */
async function runClient(
  transport: TransportName,
  command: string,
  permissions: readonly string[],
): Promise<ClientResult> {
  await using shown = await shownBus({ transport }, new Loopback());
  const client = await shown.transport.spawn({
    program: Deno.execPath(),
    args: [
      ...["run", "--quiet", "--no-prompt", "--no-check"],
      ...permissions,
      ...[CLIENT, command, LIBRARY],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const killer = setTimeout(() => client.child.kill("SIGKILL"), CLIENT_MS_MAX);
  try {
    const [output, errors, status] = await Promise.all([
      new Response(client.child.stdout).text(),
      new Response(client.child.stderr).text(),
      client.status,
    ]);
    const value: unknown = output === "" ? undefined : JSON.parse(output);
    return { value, code: status.code, errors };
  } finally {
    clearTimeout(killer);
  }
}

const NODE_PERMISSIONS = [`--allow-read=${NODE}`, `--allow-write=${NODE}`];

for (const transport of ["preload", "notify"] as const) {
  testOn(
    transport,
    "a permission for the library alone is enough, and may be given back",
    async () => {
      const result = await runClient(transport, "confined", [
        `--allow-ffi=${LIBRARY}`,
        ...NODE_PERMISSIONS,
      ]);
      assertEquals(result.errors, "");
      assertEquals(result.value, {
        product: "Loopback",
        serialNumber: "0001",
        configurations: CONFIGURATIONS,
      });
      assertEquals(result.code, 0);
    },
  );

  testOn(
    transport,
    "without permission for the node it is not opened, and the flags are named",
    async () => {
      const result = await runClient(transport, "refused", [
        `--allow-ffi=${LIBRARY}`,
        `--allow-read=${NODE}`,
      ]);
      assertEquals(
        result.value,
        `Cannot open 1209:0001@1-1: the program may not write ${NODE}. ` +
          `Run with --allow-write=${NODE}`,
      );
    },
  );

  testOn(
    transport,
    "a process ends at once with a device left open and nothing in flight",
    async () => {
      const result = await runClient(transport, "leftOpen", ["--allow-all"]);
      assertEquals(result.errors, "");
      assertEquals([result.value, result.code], ["left", 0]);
    },
  );

  testOn(transport, "a pending read costs no processor time", async () => {
    const result = await runClient(transport, "idle", ["--allow-all"]);
    assertEquals(result.errors, "");
    assert(
      typeof result.value === "number" && result.value <= 10,
      `${result.value} ticks of 10 ms in half a second`,
    );
  });

  testOn(transport, "timers keep their turn under a flood", async () => {
    const result = await runClient(transport, "flooded", ["--allow-all"]);
    assertEquals([result.errors, result.value], ["", true]);
  });

  testOn(
    transport,
    "a device is opened and closed again and again",
    async () => {
      const result = await runClient(transport, "restarts", ["--allow-all"]);
      assertEquals([result.errors, result.value], ["", true]);
    },
  );
}

testOn(
  "notify",
  "an inherited descriptor is taken over without any discovery",
  async () => {
    const result = await runClient("notify", "inherited", ["--allow-all"]);
    assertEquals(result.errors, "");
    assertEquals(result.value, {
      id: "1-1#2",
      product: "Loopback",
      serialNumber: "0001",
      configurations: CONFIGURATIONS,
    });
  },
);

testOn(
  "notify",
  "an inherited descriptor's device is not asked for what the parent told",
  async () => {
    const result = await runClient("notify", "told", ["--allow-all"]);
    assertEquals(result.errors, "");
    assertEquals(result.value, {
      manufacturer: null,
      product: "as told",
      configurationValue: 1,
    });
  },
);

Deno.test("Importing the port opens nothing and needs no permission", async () => {
  const script = new URL("../../ffi/libusb_port.ts", import.meta.url).href;
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--no-check", script],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(new TextDecoder().decode(output.stderr), "");
  assertEquals(output.code, 0);
});

Deno.test("A library the runtime does not allow is refused with the flag to give", async () => {
  const output = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-prompt", "--no-check"],
      ...[CLIENT, "refused", LIBRARY],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).output();
  assertStringIncludes(
    new TextDecoder().decode(output.stderr),
    `Cannot open ${LIBRARY}: the runtime does not allow it. ` +
      `Run with --allow-ffi=${LIBRARY}`,
  );
  assertEquals(output.code, 1);
});
