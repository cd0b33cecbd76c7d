import { assertEquals } from "../../driver/std.ts";
import { canSandbox, LIBUSB, noSandbox } from "../sandbox/harness.ts";
import { CASES, type Measurement, TARGETS } from "./cases.ts";
import { confinedCommand } from "./confined.ts";
import { PEERS, run, SANDBOXED } from "./peers.ts";
import { casesOf } from "./rounds.ts";

/** 64-byte bulk reads, 16 in flight, 200 of them: mode, a, b, endpoint, bytes, depth, count, latency. */
const LINES = ["0,0,0,130,64,16,200,0", "4,0,0,130,64,16,200,0"];
const WITH_FAKE = new URL("./with_fake.sh", import.meta.url).pathname;
const SOURCE = new URL("./fake_usbfs.c", import.meta.url).pathname;

async function compileFake(path: string): Promise<boolean> {
  const flags = ["-O2", "-shared", "-fPIC", "-lpthread"];
  return (await run(["cc", "-o", path, SOURCE, ...flags])).ok;
}

async function canMount(): Promise<boolean> {
  return (await run(["unshare", "--map-root-user", "--mount", "true"])).ok;
}

const canRun = canSandbox && await canMount();
const noRun = canRun
  ? ""
  : noSandbox || " [not run: needs namespaces of the user's own]";

Deno.test({
  name: `Client of the bench makes its transfers behind all layers${noRun}`,
  ignore: !canRun,
  fn: async (): Promise<void> => {
    const folder = await Deno.makeTempDir({ prefix: "driverspace-bench-" });
    try {
      const fake = `${folder}/fake_usbfs.so`;
      assertEquals(await compileFake(fake), true);
      const command = await confinedCommand({
        library: LIBUSB,
        fake,
        folder,
        nodePath: "/dev/bus/usb/001/002",
      }, "input");
      // The client itself refuses to go on unless every probe from inside was refused.
      const { ok, text } = await run([WITH_FAKE, fake, ...command, ...LINES]);
      const told = ok
        ? text.split("\n").map((line) => JSON.parse(line) as Measurement)
        : text;
      assertEquals(
        Array.isArray(told) ? told.map(({ count, bad }) => [count, bad]) : told,
        [[200, 0], [200, 0]],
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("Sandboxed client is asked for every case that a target of it names", () => {
  const peer = PEERS.find(({ name }) => name === SANDBOXED);
  const asked = new Set(
    peer === undefined ? [] : casesOf(peer).map((c) => c.name),
  );
  const wanted = TARGETS.filter((target) => target.peer === SANDBOXED);
  assertEquals(wanted.length > 0, true);
  assertEquals(wanted.filter((target) => !asked.has(target.case)), []);
  assertEquals(asked.size < CASES.length, true);
});
