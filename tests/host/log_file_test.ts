import { Log, TornLineError } from "../../driver/host/log.ts";
import {
  keepRotated,
  LogFileError,
  prepareLogFile,
  rotateLogFile,
} from "../../driver/host/log_rotation.ts";
import { DescriptorSink, FileSink } from "../../driver/host/log_sink.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import { assertEquals, assertThrows } from "../../driver/std.ts";
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

class Folder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "driverspace_log." });
  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
