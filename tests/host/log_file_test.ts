import { Log, TornLineError } from "../../driver/host/log.ts";
import { LogKeeper } from "../../driver/host/log_keeper.ts";
import {
  endTornLine,
  keepOwnRotated,
  keepRotated,
  LogFileError,
  prepareLogFile,
  renewOwnLog,
  rotateLogFile,
} from "../../driver/host/log_rotation.ts";
import { DescriptorSink, FileSink } from "../../driver/host/log_sink.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "../../driver/std.ts";
import { closeSync, openSync, writeSync } from "node:fs";

Deno.test("A log file is made where there is none", () => {
  using folder = new Folder();
  const path = `${folder.path}/a.log`;
  assertEquals(prepareLogFile(path), 0);
  assertEquals(Deno.statSync(path).size, 0);
});

Deno.test("A torn line of a killed process is ended before the next begins", () => {
  using folder = new Folder();
  const path = `${folder.path}/a.log`;
  Deno.writeTextFileSync(path, '{"a":1}\n{"b":');
  prepareLogFile(path);
  prepareLogFile(path);
  assertEquals(Deno.readTextFileSync(path), '{"a":1}\n{"b":\n');
});

Deno.test("A log path that cannot be used gives one sentence", () => {
  using folder = new Folder();
  const file = `${folder.path}/file`;
  Deno.writeTextFileSync(file, "x\n");
  const wrong: readonly [path: string, reason: string][] = [
    [folder.path, "it is a directory"],
    [`${folder.path}/missing/a.log`, "its folder does not exist"],
    [`${file}/a.log`, "a part of its path is not a directory"],
  ];
  for (const [path, reason] of wrong) {
    assertThrows(() => prepareLogFile(path), LogFileError, reason);
  }
});

Deno.test("Rotation copies a log that grew too large, truncates it and appending goes on", () => {
  using folder = new Folder();
  const path = `${folder.path}/a.log`;
  using sink = new FileSink(path);
  sink.write(bytesOf("first\n"));
  assertEquals(rotateLogFile(path, 100), 0);
  assertEquals(rotateLogFile(path, 6), 6);
  sink.write(bytesOf("second\n"));
  assertEquals(Deno.readTextFileSync(`${path}.1`), "first\n");
  assertEquals(Deno.readTextFileSync(path), "second\n");
  assertEquals([...Deno.readDirSync(folder.path)].length, 2);
});

Deno.test("Rotation of an inherited descriptor goes on at the beginning", () => {
  using folder = new Folder();
  const path = `${folder.path}/a.log`;
  const descriptor = openSync(path, "a");
  const sink = new DescriptorSink(descriptor, writeSync);
  sink.write(bytesOf("first\n"));
  rotateLogFile(path, 1);
  sink.write(bytesOf("second\n"));
  closeSync(descriptor);
  assertEquals(Deno.readTextFileSync(path), "second\n");
});

Deno.test("A descriptor that cannot be written fails each line, and a half line is told", () => {
  const line = bytesOf("line\n");
  const refused = new DescriptorSink(101, () => -9);
  assertThrows(() => refused.write(line), Error, "error 9");
  const full = new DescriptorSink(101, () => 2);
  assertThrows(() => full.write(line), TornLineError, "2 of 5 bytes");
});

Deno.test("Rotation that fails is told and leaves the log alone", () => {
  using folder = new Folder();
  const path = `${folder.path}/a.log`;
  Deno.writeTextFileSync(path, "line\n");
  Deno.mkdirSync(`${path}.1`);
  Deno.writeTextFileSync(`${path}.1/in_the_way`, "");
  const failures: unknown[] = [];
  const rotation = keepRotated(path, {
    clock: new VirtualClock(),
    maxBytes: 1,
    onFailure: (error) => failures.push(error),
  });
  rotation.stop();
  assertEquals(failures.length, 1);
  assertEquals(Deno.readTextFileSync(path), "line\n");
});

Deno.test("A full disk does not stop whoever logs", {
  ignore: Deno.build.os !== "linux",
}, () => {
  using sink = new FileSink("/dev/full");
  const log = new Log({ sink, clock: new VirtualClock(), base: {} });
  log.write("info", "a", "first");
  log.close();
  assertEquals(log.counters.dropped.info, 1);
});

Deno.test("A process's own log is renamed when it grew too large, and no line is lost", () => {
  using folder = new Folder();
  const path = `${folder.path}/a.log`;
  using sink = new FileSink(path, { syncsAside: true });
  sink.write(bytesOf("first\n"));
  assertEquals(renewOwnLog(sink, 100), false);
  assertEquals(renewOwnLog(sink, 6), true);
  sink.write(bytesOf("second\n"));
  assertEquals(renewOwnLog(sink, 100), false);
  assertEquals(Deno.readTextFileSync(`${path}.1`), "first\n");
  assertEquals(Deno.readTextFileSync(path), "second\n");
});

Deno.test("A process's own log that somebody moved or removed is opened anew", () => {
  using folder = new Folder();
  const path = `${folder.path}/a.log`;
  using sink = new FileSink(path);
  Deno.renameSync(path, `${folder.path}/kept`);
  sink.write(bytesOf("before\n"));
  assertEquals(renewOwnLog(sink), true);
  sink.write(bytesOf("after\n"));
  assertEquals(Deno.readTextFileSync(`${folder.path}/kept`), "before\n");
  assertEquals(Deno.readTextFileSync(path), "after\n");
  Deno.removeSync(path);
  // Whoever moved it may have made another, and died over a line.
  Deno.writeTextFileSync(path, '{"torn":');
  assertEquals(renewOwnLog(sink), true);
  sink.write(bytesOf("again\n"));
  assertEquals(Deno.readTextFileSync(path), '{"torn":\nagain\n');
});

Deno.test("A process's own log goes on where it is when it cannot be opened anew", () => {
  using folder = new Folder();
  const path = `${folder.path}/a.log`;
  using sink = new FileSink(path);
  Deno.renameSync(path, `${folder.path}/kept`);
  Deno.mkdirSync(path);
  assertThrows(() => renewOwnLog(sink), Error, "os error 21");
  sink.write(bytesOf("line\n"));
  assertEquals(Deno.readTextFileSync(`${folder.path}/kept`), "line\n");
  Deno.removeSync(path);
  assertEquals(renewOwnLog(sink), true);
});

Deno.test("A log in which a line is there in part is not renamed before it is whole", async () => {
  using folder = new Folder();
  const path = `${folder.path}/a.log`;
  const clock = new VirtualClock();
  using sink = new FileSink(path);
  sink.write(bytesOf("a piece of"));
  let isTorn = true;
  const rotation = keepOwnRotated(sink, {
    clock,
    maxBytes: 1,
    isTorn: () => isTorn,
  });
  await clock.advance(10_000);
  sink.write(bytesOf(" a line\n"));
  isTorn = false;
  await clock.advance(10_000);
  rotation.stop();
  assertEquals(Deno.readTextFileSync(`${path}.1`), "a piece of a line\n");
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("A log is flushed beside the loop, also what comes meanwhile and at the end", async () => {
  using folder = new Folder();
  const sink = new FileSink(`${folder.path}/a.log`, { syncsAside: true });
  sink.write(bytesOf("first\n"));
  const first = sink.sync();
  assert(first instanceof Promise);
  sink.write(bytesOf("second\n"));
  assertStrictEquals(sink.sync(), first, "one flush at a time");
  await first;
  sink.write(bytesOf("third\n"));
  void sink.sync();
  sink[Symbol.dispose]();
  const text = Deno.readTextFileSync(`${folder.path}/a.log`);
  assertEquals(text, "first\nsecond\nthird\n");
});

Deno.test("A driver's log that is taken away under it is told, until it is started again", async () => {
  using folder = new Folder();
  const path = `${folder.path}/a.log`;
  const clock = new VirtualClock();
  Deno.writeTextFileSync(path, "line\n");
  using keeper = new LogKeeper(path, { clock, maxBytes: 1 });
  assertEquals(Deno.readTextFileSync(`${path}.1`), "line\n");
  keeper.begin();
  assertEquals(keeper.problem, undefined);
  Deno.renameSync(path, `${folder.path}/elsewhere`);
  assertStringIncludes(keeper.problem ?? "", "moved or removed");
  Deno.writeTextFileSync(path, "other\n");
  assertStringIncludes(keeper.problem ?? "", "moved or removed");
  keeper.begin();
  assertEquals(keeper.problem, undefined);
  Deno.removeSync(`${path}.1`);
  Deno.mkdirSync(`${path}.1`);
  Deno.writeTextFileSync(`${path}.1/in_the_way`, "");
  await clock.advance(5_000);
  assertStringIncludes(keeper.problem ?? "", "cannot be rotated");
  Deno.removeSync(`${path}.1`, { recursive: true });
  await clock.advance(5_000);
  assertEquals(keeper.problem, undefined);
  await keeper.sync();
  Deno.removeSync(path);
  await keeper.sync();
});

Deno.test("Ending a torn line never fails, whatever became of the file", () => {
  using folder = new Folder();
  endTornLine(`${folder.path}/none/a.log`);
  endTornLine(folder.path);
  Deno.writeTextFileSync(`${folder.path}/a.log`, "{");
  endTornLine(`${folder.path}/a.log`);
  assertEquals(Deno.readTextFileSync(`${folder.path}/a.log`), "{\n");
});

Deno.test(
  "A pipe whose reader left loses its lines, counted, and stops nobody",
  {
    ignore: Deno.build.os !== "linux",
  },
  async () => {
    using folder = new Folder();
    const path = `${folder.path}/pipe`;
    assert(
      (await new Deno.Command("mkfifo", { args: [path] }).output()).success,
    );
    const reader = await Deno.open(path, { read: true, write: true });
    using sink = new FileSink(path);
    const clock = new VirtualClock();
    const log = new Log({ sink, clock, base: {} });
    log.write("info", "a", "read by nobody");
    reader.close();
    log.write("info", "b", "into a closed pipe");
    await clock.advance(60_000);
    assertEquals(log.counters.written, 1);
    assertEquals(log.counters.queued, 1);
    log.close();
    assertEquals(log.counters.dropped.info, 1);
  },
);

class Folder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "driverspace_log." });
  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
