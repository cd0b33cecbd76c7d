/** Programs that are not ours, with the real libusb, on both transports of the virtual bus. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../../driver/std.ts";
import { Loopback } from "../../ffi/linux/testing.ts";
import { until } from "../until.ts";
import { Lines, shownBus, testOn } from "./shown_bus.ts";

const TRANSPORTS = ["preload", "notify"] as const;

for (const transport of TRANSPORTS) {
  testOn(transport, "lsusb -v prints the loopback device", async () => {
    await using shown = await shownBus({ transport }, new Loopback());
    await using lsusb = await shown.transport.spawn({
      program: "lsusb",
      args: ["-v", "-d", "1209:0001"],
      stdout: "piped",
      stderr: "piped",
    });
    const { status, text } = await lsusb.output();
    assert(status.success, text);
    // The line that names it may name it by the system's own list of devices.
    assertStringIncludes(text, "ID 1209:0001 ");
    assertMatch(text, /iManufacturer +1 Driver Space/);
    assertMatch(text, /iProduct +2 Loopback/);
    assertMatch(text, /iSerial +3 0001/);
    assertMatch(text, /bEndpointAddress +0x81 +EP 1 IN/);
    assertMatch(text, /Transfer Type +Isochronous/);
  });

  testOn(transport, "pyusb reads, writes and sees a stall", async () => {
    await using shown = await shownBus({ transport }, new Loopback());
    await using peer = await shown.peer("echo");
    const { status, text } = await peer.output();
    assert(status.success, text);
    assertEquals(text.trim().split("\n"), [
      "product Loopback",
      "control hello",
      "bulk 76800 True",
      "stall EPIPE",
    ]);
  });

  testOn(
    transport,
    "a claim keeps other processes out until its own is killed",
    async () => {
      const device = new Loopback();
      await using shown = await shownBus({ transport }, device);
      await using holder = await shown.peer("claim");
      const held = new Lines(holder.child.stdout);
      assertEquals(await held.next(), "claimed");
      await using other = await shown.peer("claim");
      assertStringIncludes((await other.output()).text, "refused EBUSY");

      await using heir = await shown.peer("claim", "retry");
      const inherited = new Lines(heir.child.stdout);
      holder.kill("SIGKILL");
      assertEquals(await inherited.next(), "claimed");
      heir.kill("SIGKILL");
      await heir.status;
      await until(
        "a closed node",
        () => shown.bus.find(device)?.openFiles === 0,
      );
    },
  );

  testOn(
    transport,
    "a device that is closed can be claimed again at once",
    async () => {
      await using shown = await shownBus({ transport }, new Loopback());
      await using peer = await shown.peer("reopen");
      assertStringIncludes((await peer.output()).text, "reopened");
    },
  );

  testOn(
    transport,
    "libudev tells every process that a device left and came back",
    async () => {
      const device = new Loopback();
      await using shown = await shownBus({ transport }, device);
      await using first = await shown.peer("hotplug");
      await using second = await shown.peer("hotplug");
      const seen = [first, second].map(({ child }) => new Lines(child.stdout));
      const next = (): Promise<(string | undefined)[]> =>
        Promise.all(seen.map((lines) => lines.next()));
      assertEquals(await next(), ["arrived", "arrived"]);
      shown.bus.unplug(device);
      assertEquals(await next(), ["left", "left"]);
      shown.bus.plug(device);
      assertEquals(await next(), ["arrived", "arrived"]);
      assert((await first.status).success);
      assert((await second.status).success);
    },
  );

  const count = transport === "preload" ? 40 : 110;
  testOn(transport, `${count} devices are open at once`, async () => {
    const devices = Array.from({ length: count }, () => new Loopback());
    await using shown = await shownBus({ transport }, ...devices);
    await using peer = await shown.peer("many");
    const { text } = await peer.output();
    assertEquals(text.trim(), `answers ${count}`);
  });
}

testOn(
  "notify",
  "a descriptor handed over exec works without discovery",
  async () => {
    const transport = "notify";
    await using shown = await shownBus({ transport }, new Loopback());
    await using peer = await shown.peer("hand_over");
    const { text } = await peer.output();
    assertEquals(text.trim().split("\n"), [
      "init 0",
      "wrap 0",
      "claim 0",
      "control 8",
      "character device True",
    ]);
  },
);

testOn("notify", "a raw system call reaches the bus", async () => {
  await using shown = await shownBus({ transport: "notify" }, new Loopback());
  await using peer = await shown.peer("raw");
  const { text } = await peer.output();
  assertEquals(text.trim().split("\n"), ["opened True", "speed 3"]);
});

testOn(
  "notify",
  "a call that waits for its device holds up no other",
  async () => {
    await using shown = await shownBus({ transport: "notify" }, new Loopback());
    await using peer = await shown.peer("late");
    const { text } = await peer.output();
    assertEquals(text.trim().split("\n"), ["speed 3", "late 1 7"]);
  },
);

testOn(
  "notify",
  "a client that is killed while a call waits leaves nothing open",
  async () => {
    const device = new Loopback();
    await using shown = await shownBus({ transport: "notify" }, device);
    await using peer = await shown.peer("late");
    const lines = new Lines(peer.child.stdout);
    assertEquals(await lines.next(), "speed 3");
    assertEquals(shown.bus.find(device)?.openFiles, 1);
    peer.kill("SIGKILL");
    await peer.status;
    await until("a closed node", () => shown.bus.find(device)?.openFiles === 0);
    await peer.child.stderr.cancel();
  },
);

testOn(
  "notify",
  "a client whose limit of open files is too low gets EMFILE, and no foreign node",
  async () => {
    const transport = "notify";
    await using shown = await shownBus({ transport }, new Loopback());
    await using peer = await shown.peer("crowded");
    const { text } = await peer.output();
    assertEquals(text.trim().split("\n"), ["EMFILE", "ENOENT"]);
  },
);

testOn(
  "notify",
  "bad addresses and lengths of a client are errors of its own",
  async () => {
    const transport = "notify";
    const device = new Loopback();
    await using shown = await shownBus({ transport }, device);
    await using peer = await shown.peer("foul");
    const { text } = await peer.output();
    assertEquals(text.trim().split("\n"), [
      "-1 EFAULT",
      "-1 EFAULT",
      "-1 ENOTTY",
      "-1 EINVAL",
      "read True",
      "-1 EPERM",
    ]);
    await until("a closed node", () => shown.bus.find(device)?.openFiles === 0);
  },
);
