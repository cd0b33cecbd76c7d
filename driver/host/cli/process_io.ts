/**
 * Standard output, standard error and signals of this process.
 *
 * @module
 */

import { systemClock } from "../system_clock.ts";
import type { CliIo } from "./command.ts";

/** Makes the io of this process. */
export function processIo(): CliIo {
  const isTerminal = Deno.stdout.isTerminal();
  // Asked first: the runtime forgets it once anybody listens to a signal.
  const staysAtHangUp = isHangUpIgnored();
  let isOutputClosed = false;
  return {
    out: (text) => isOutputClosed ||= !writeAll(Deno.stdout, text),
    err: (text) => void writeAll(Deno.stderr, text),
    isOutputClosed: () => isOutputClosed,
    isTerminal,
    hasColor: isTerminal && !Deno.noColor,
    columns: () => terminalColumns(isTerminal),
    onInterrupt: (handler) => onInterrupt(handler, { staysAtHangUp }),
    clock: systemClock(),
    random: () => Math.random(),
  };
}

/** Where nobody says how wide a terminal is. */
const COLUMNS = 80;
/** Less is a terminal that does not know itself; a serial line says 0. */
const COLUMNS_MIN = 20;

function terminalColumns(isTerminal: boolean): number {
  if (!isTerminal) return COLUMNS;
  try {
    const { columns } = Deno.consoleSize();
    return columns < COLUMNS_MIN ? COLUMNS : columns;
  } catch {
    return COLUMNS;
  }
}

/** A reader that went away (`driverspace list | head`) is no failure of ours: then it gives false. */
function writeAll(stream: typeof Deno.stdout, text: string): boolean {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let done = 0; done < bytes.length;) {
      done += stream.writeSync(bytes.subarray(done));
    }
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return false;
    throw error;
  }
}

function onInterrupt(
  handler: () => void,
  options: { readonly staysAtHangUp: boolean },
): () => void {
  const signals: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT"]
    : ["SIGINT", "SIGTERM"];
  const listeners = signals.map((signal) => ({ signal, handler }));
  if (Deno.build.os !== "windows") {
    const onHangUp = options.staysAtHangUp ? (): void => {} : handler;
    listeners.push({ signal: "SIGHUP", handler: onHangUp });
  }
  for (const { signal, handler } of listeners) {
    Deno.addSignalListener(signal, handler);
  }
  return () => {
    for (const { signal, handler } of listeners) {
      Deno.removeSignalListener(signal, handler);
    }
  };
}

/** Whoever started us with nohup wants us to stay when the terminal goes. */
function isHangUpIgnored(): boolean {
  try {
    const status = Deno.readTextFileSync("/proc/self/status");
    const ignored = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
    // The mask's lowest bit is signal 1, SIGHUP.
    return (BigInt(`0x${ignored}`) & 1n) === 1n;
  } catch {
    return false;
  }
}
