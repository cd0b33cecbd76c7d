import { UsbError } from "../../../driver/errors.ts";
import { STANDBY_AFTER_MS } from "../../../driver/host/supervisor/standby.ts";
import {
  decodeState,
  encodeState,
  recallHistory,
  rememberHistory,
} from "../../../driver/host/supervisor/state_file.ts";
import {
  FileLock,
  LockedError,
  wholeFile,
} from "../../../driver/host/supervisor/whole_file.ts";
import {
  assert,
  assertEquals,
  assertLessOrEqual,
  assertRejects,
  assertThrows,
} from "../../../driver/std.ts";
import { configure, meter, SupervisorBench } from "./supervisor_bench.ts";

Deno.test("A supervisor runs several drivers, each with its own device", async () => {
  const bench = new SupervisorBench();
  await bench.supervisor.start(configure({ a: "A", b: "B" }));
  await bench.pass(500);
  assertEquals(bench.states(), { a: "ready", b: "ready" });
  assertEquals(bench.processes.map(({ port }) => port), ["1-1", "1-2"]);
  await bench.stop();
  assertEquals(bench.clock.pendingTimers, 0);
  assertEquals(bench.safeStates, 0, "They stopped in order");
});

Deno.test("A driver that crashes in a loop leaves the other one untouched", async () => {
  const bench = new SupervisorBench();
  await bench.supervisor.start(configure({ a: "A", b: "B" }));
  await bench.pass(500);
  for (let crash = 0; crash < 60; crash++) {
    const last = bench.processes.findLast(({ port }) => port === "1-1");
    last?.process.end(139, "SIGSEGV");
    await bench.pass(1_000);
  }
  const [a, b] = bench.supervisor.status();
  assertEquals([a?.state, b?.state], ["quarantined", "ready"]);
  assertEquals(b?.starts, 1);
  assertEquals(bench.safeStates, 11, "Once for each crash");
  const value = bench.registry.value("driverspace_driver_restarts_total", {
    driver: "a",
    reason: "native-crash",
  });
  assertEquals(value, 11);
  await bench.stop();
});

Deno.test("A device is bound again within a second after it appears", async () => {
  const bench = new SupervisorBench();
  bench.devices = [];
  await bench.supervisor.start(configure({ a: "A" }));
  await bench.pass(10_000);
  bench.devices = [meter("A", 7)];
  const beganMs = bench.clock.nowMs();
  while (bench.states()["a"] !== "ready") await bench.clock.advance(10);
  assertLessOrEqual(bench.clock.nowMs() - beganMs, 1_000);
  await bench.stop();
});

Deno.test("Two drivers that want one device do not both get it", async () => {
  const bench = new SupervisorBench();
  bench.devices = [meter("A", 1)];
  await bench.supervisor.start(configure({ a: "A", also: "A" }));
  await bench.pass(2_000);
  assertEquals(bench.states(), { a: "ready", also: "waiting-device" });
  assertEquals(bench.processes.length, 1);
  await bench.stop();
});

Deno.test("A device whose supervisor died with a driver running is made safe before the next driver", async () => {
  const dead = new SupervisorBench();
  await dead.supervisor.start(configure({ a: "A", b: "B" }));
  dead.devices = [meter("A", 1)];
  await dead.pass(500);
  const next = new SupervisorBench();
  next.file = dead.file;
  next.devices = [];
  await next.supervisor.start(configure({ a: "A", b: "B" }));
  await next.pass(1_000);
  next.devices = [meter("A", 5), meter("B", 6)];
  let startedUnsafe = 0;
  next.onSpawn = () => startedUnsafe += next.safeStates === 0 ? 1 : 0;
  await next.pass(500);
  assertEquals(next.states(), { a: "ready", b: "ready" });
  assertEquals([next.safeStates, startedUnsafe], [1, 0], "b had left before");
  await next.stop();
});

Deno.test("That a device is in use stands in the state file before its driver is started", async () => {
  const bench = new SupervisorBench();
  let found: string | undefined;
  bench.onSpawn = () => found = bench.file;
  await bench.supervisor.start(configure({ a: "A" }));
  await bench.pass(500);
  const state = decodeState(found);
  assert(state.kind === "sound");
  assertEquals(state.state.drivers["a"]?.isInUse, true);
  await bench.stop();
});

Deno.test("Drivers that stopped in order leave nothing behind, over a restart and a reload", async () => {
  const first = new SupervisorBench();
  await first.supervisor.start(configure({ a: "A" }));
  await first.pass(500);
  await first.supervisor.reload(configure({ a: "B" }));
  await first.pass(500);
  await first.stop();
  const next = new SupervisorBench();
  next.file = first.file;
  await next.supervisor.start(configure({ a: "A" }));
  await next.pass(500);
  assertEquals([first.safeStates, next.safeStates], [0, 0]);
  await next.stop();
});

Deno.test("A reload touches only what changed", async () => {
  const bench = new SupervisorBench();
  await bench.supervisor.start(configure({ a: "A", b: "B" }));
  await bench.pass(500);
  const kept = bench.processes[0]?.process;
  bench.devices.push(meter("C", 3));
  const reloaded = bench.supervisor.reload(
    configure({ a: "A", b: "B", c: "C" }, "options.poll = 'READ?'\n"),
  );
  await bench.pass(500);
  assertEquals((await reloaded).unchanged, ["a", "b"]);
  const again = bench.supervisor.reload(configure({ a: "A" }));
  await bench.pass(500);
  assertEquals((await again).removed, ["b", "c"]);
  assertEquals(bench.states(), { a: "ready" });
  assertEquals(kept?.received, [], "It never heard of it");
  assert(!bench.registry.exposition().includes('driver="b"'));
  await bench.stop();
});

Deno.test("A reload ends the standby of what changed or left, and no other", async () => {
  const bench = new SupervisorBench();
  bench.hasStandby = true;
  bench.devices.push(meter("C", 3));
  const before = configure({ a: "A", c: "C", b: "B" });
  await bench.supervisor.start(before);
  await bench.pass(STANDBY_AFTER_MS + 500);
  assertEquals(bench.standbys.length, 3);
  const reloaded = bench.supervisor.reload(
    configure({ a: "A", b: "B" }, "options.poll = 'READ?'\n"),
  );
  await bench.pass(500);
  await reloaded;
  const orders = (): unknown => bench.standbys.map((one) => one.orders);
  assertEquals(orders(), [[], ["stop"], ["stop"]]);
  await bench.pass(STANDBY_AFTER_MS + 500);
  assertEquals(orders(), [[], ["stop"], ["stop"], []]);
  await bench.stop();
  assertEquals(orders(), [["stop"], ["stop"], ["stop"], ["stop"]]);
  assertEquals(bench.safeStates, 0, "None of them touched a device");
  assertEquals(bench.clock.pendingTimers, 0);
});

Deno.test("A driver that cannot be prepared is failed and says why, the others run", async () => {
  const bench = new SupervisorBench();
  await bench.supervisor.start(
    configure({ a: "A" }, '[drivers.x]\ndriver = "hid"\ndevice.serial = "X"\n'),
  );
  await bench.pass(500);
  assertEquals(bench.states(), { a: "ready", x: "failed" });
  const x = bench.supervisor.status().at(-1);
  assertEquals(x?.cause, "There is no driver hid");
  await assertRejects(
    () => bench.supervisor.call({ driver: "x", command: "read", params: {} }),
    UsbError,
    "There is no driver hid",
  );
  await bench.stop();
});

Deno.test("A driver's log is flushed with each change of state; what hinders it is told once", async () => {
  const bench = new SupervisorBench();
  await bench.supervisor.start(configure({ a: "A" }));
  await bench.pass(500);
  assertEquals(bench.logSyncs, 2, "stopped → starting → ready");
  const told = () =>
    bench.supervisor.unit("a")?.recentLog().lines
      .filter(({ event }) => event === "driver.log")
      .map(({ level, message }) => `${level} ${message}`);
  bench.logProblem = "its log was moved or removed";
  await bench.pass(5_000);
  assertEquals(told(), ["warn its log was moved or removed"]);
  bench.logProblem = undefined;
  await bench.pass(5_000);
  assertEquals(told()?.slice(1), [
    "info Its log is kept as it should be again",
  ]);
  await bench.stop();
});

Deno.test("A bus that cannot be listed is told and tried again", async () => {
  const bench = new SupervisorBench();
  bench.busError = new Error("netlink is full");
  await bench.supervisor.start(configure({ a: "A" }));
  await bench.pass(2_000);
  assertEquals(bench.states(), { a: "waiting-device" });
  assertEquals(bench.supervisor.busProblem, "netlink is full");
  assertLessOrEqual(bench.supervisor.tickAgeMs, 500);
  bench.busError = undefined;
  await bench.pass(500);
  assertEquals(bench.states(), { a: "ready" });
  const told = bench.lines.filter((event) => event.startsWith("bus."));
  assertEquals(told, ["bus.failed", "bus.recovered"], "Once each");
  const published = bench.events.since(0).events
    .map(({ event }) => event).filter((event) => event.startsWith("bus."));
  assertEquals(published, told);
  await bench.stop();
});

Deno.test("While nobody looks at the bus no driver is started for what was seen last, and none is ended", async () => {
  const bench = new SupervisorBench();
  await bench.supervisor.start(configure({ a: "A", b: "B" }));
  await bench.pass(500);
  bench.busError = new Error("nobody watches it");
  await bench.pass(500);
  bench.processes[0]?.process.end(69);
  await bench.pass(2_000);
  assertEquals(bench.states(), { a: "waiting-device", b: "ready" });
  bench.busError = undefined;
  await bench.pass(500);
  assertEquals(bench.states(), { a: "ready", b: "ready" });
  await bench.stop();
});

Deno.test("A change on the bus is looked at when it is told, not when it is due", async () => {
  const bench = new SupervisorBench();
  bench.devices = [];
  await bench.supervisor.start(configure({ a: "A" }));
  await bench.pass(300);
  bench.devices = [meter("A", 7)];
  for (let time = 0; time < 100; time++) bench.supervisor.look();
  await bench.clock.advance(0);
  assertEquals(bench.states(), { a: "ready" });
  assertLessOrEqual(bench.looks, 5, "A hundred calls are one look, or two");
  await bench.stop();
});

Deno.test("A command is checked before the driver sees it", async () => {
  const bench = new SupervisorBench();
  await bench.supervisor.start(configure({ a: "A" }));
  await bench.pass(500);
  const call = (command: string, params: Record<string, string>) =>
    bench.supervisor.call({ driver: "a", command, params });
  assertEquals(await call("query", { message: "*IDN?" }), {
    command: "query",
    params: { message: "*IDN?" },
  });
  await assertRejects(() => call("query", { massage: "" }), TypeError);
  await assertRejects(() => call("query", {}), TypeError);
  await assertRejects(() => call("reed", {}), UsbError, "query, read");
  await assertRejects(() => call("__proto__", {}), UsbError);
  await assertRejects(
    () => bench.supervisor.call({ driver: "z", command: "read", params: {} }),
    UsbError,
    'no driver "z"',
  );
  await bench.stop();
});

Deno.test("Failures are remembered over the end of a supervisor", async () => {
  const bench = new SupervisorBench();
  await bench.supervisor.start(configure({ a: "A" }));
  for (let crash = 0; crash < 150; crash++) {
    await bench.pass(500);
    bench.processes.at(-1)?.process.end(139, "SIGSEGV");
  }
  await bench.pass(1_000);
  assertEquals(bench.states(), { a: "quarantined" });
  await bench.stop();

  const next = new SupervisorBench();
  next.file = bench.file;
  next.clock.jump(bench.clock.nowMs());
  await next.supervisor.start(configure({ a: "A" }));
  await next.pass(500);
  next.processes.at(-1)?.process.end(139, "SIGSEGV");
  await next.pass(500);
  assertEquals(next.states(), { a: "quarantined" }, "At the first failure");
  await next.stop();
});

Deno.test("A corrupt state file is said and begun anew; a full disk stops nothing", async () => {
  const bench = new SupervisorBench();
  bench.file = encodeState({ savedAtMs: 1, drivers: {} }).replace("1", "2");
  await bench.supervisor.start(configure({ a: "A" }));
  await bench.pass(500);
  assert(bench.lines.includes("state.corrupt"));
  bench.fileError = new Error("No space left on device (os error 28)");
  bench.processes[0]?.process.end(70);
  await bench.pass(1_000);
  assert(bench.lines.includes("state.failed"));
  assertEquals(bench.states(), { a: "ready" });
  await bench.stop();
});

Deno.test("A state file is taken whole or not at all", () => {
  const state = {
    savedAtMs: 1_767_225_600_000,
    drivers: { a: { failures: 2, failedAt: "1767225599000,1767225599500" } },
  };
  const source = encodeState(state);
  assertEquals(decodeState(source), { kind: "sound", state });
  assertEquals(decodeState(undefined), { kind: "absent" });
  for (let length = 0; length < source.length - 1; length += 7) {
    assertEquals(decodeState(source.slice(0, length)).kind, "corrupt");
  }
  assertEquals(decodeState(source.replace(":2,", ":3,")).kind, "corrupt");
  assertEquals(
    decodeState(source.replace('"version":1', '"version":9')).kind,
    "corrupt",
  );
  const now = { nowMs: 5_000, wallMs: 1_767_225_600_000 };
  const history = recallHistory(state.drivers.a, now);
  assertEquals(history, { failures: 2, failedAtMs: [4_000, 4_500] });
  assertEquals(rememberHistory(history, now), state.drivers.a);
  const setBack = { nowMs: 5_000, wallMs: 1_700_000_000_000 };
  assertEquals(recallHistory(state.drivers.a, setBack).failedAtMs, []);
});

Deno.test("A file is replaced whole, and the part of it that failed is not it", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = wholeFile(`${folder}/state.json`);
    assertEquals(file.read(), undefined);
    file.write("one");
    file.write("two");
    assertEquals(file.read(), "two");
    await Deno.mkdir(`${folder}/blocked.part`);
    const blocked = wholeFile(`${folder}/blocked`);
    assertThrows(() => blocked.write("three"));
    assertEquals(blocked.read(), undefined);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("A second supervisor is refused and told who runs; a killed one holds nothing", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/lock`;
  try {
    const first = new FileLock(path);
    assertThrows(
      () => new FileLock(path),
      LockedError,
      `Another supervisor is running (process ${Deno.pid})`,
    );
    first[Symbol.dispose]();
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        `const f = Deno.openSync(${JSON.stringify(path)}, { write: true });
         f.lockSync(true); console.log("held"); setTimeout(() => {}, 1e6);`,
      ],
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    assertThrows(() => new FileLock(path), LockedError);
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    new FileLock(path)[Symbol.dispose]();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
