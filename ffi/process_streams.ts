/**
 * What every process that holds a device begins and ends with: its standard
 * streams, its log.
 *
 * @module
 */

import type { DriverConfig } from "../driver/host/driver_config.ts";
import type { LogSink } from "../driver/host/log.ts";
import { DescriptorSink, FileSink, NO_SINK } from "../driver/host/log_sink.ts";
import type { Libc } from "./linux/libc.ts";
import { LOG_DESCRIPTOR } from "./linux/seccomp.ts";

/** Makes something when it is first wanted. */
export function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => made ??= make();
}

/** What a driver's author prints goes to stderr: stdout carries frames. */
export function sparePipe(): void {
  for (const name of ["log", "info", "debug"] as const) {
    console[name] = console.error;
  }
}

/** A log that cannot be opened is told and done without: it never stops a driver. */
export function openLog(config: DriverConfig, libc: () => Libc): LogSink {
  if (config.mode === "sandboxed") {
    return new DescriptorSink(
      LOG_DESCRIPTOR,
      (descriptor, bytes) =>
        libc().call("write", [
          descriptor,
          bytes.slice(),
          bytes.length,
        ]),
    );
  }
  if (config.logPath === undefined) return NO_SINK;
  try {
    return new FileSink(config.logPath);
  } catch (error) {
    console.error(`Cannot write the log ${config.logPath}: ${error}`);
    return {
      write(): void {
        throw error;
      },
    };
  }
}

/** As much as a pipe holds. */
const INPUT_BYTES = 64 * 1024;

/** What `Deno.stdin.readable` gives, without loading the streams of the web for it. */
export async function* readInput(): AsyncGenerator<Uint8Array, void> {
  const buffer = new Uint8Array(INPUT_BYTES);
  for (;;) {
    const lengthBytes = await Deno.stdin.read(buffer);
    if (lengthBytes === null) return;
    yield buffer.slice(0, lengthBytes);
  }
}

/** Writes all of it to stdout. */
export async function writeAll(bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += await Deno.stdout.write(bytes.subarray(done));
  }
}
