/** Logs in a folder of their own, and what a reader sees of them. */

import type { LogEntry } from "../../../driver/host/logs/log_entry.ts";

/** A line as our writers make it, without its line break. */
export function line(
  seq: number,
  more: Readonly<Record<string, unknown>> = {},
): string {
  const ts = new Date(seq * 1_000).toISOString();
  return JSON.stringify({
    ts,
    level: "info",
    event: "test.line",
    msg: `line ${seq}`,
    pid: 1,
    seq,
    ...more,
  });
}

/** What entries are, in short: `3`, `gap 4-5`, `torn x`, `bad x`, `note`. */
export function shortly(entries: Iterable<LogEntry>): string[] {
  return [...entries].map((entry) => {
    switch (entry.kind) {
      case "line":
        return String(entry.fields["seq"] ?? entry.message);
      case "gap":
        return `gap ${entry.from}-${entry.to}`;
      case "unreadable":
        return `${entry.isTorn ? "torn" : "bad"} ${entry.text.slice(0, 20)}`;
      case "note":
        return "note";
    }
  });
}

/** A folder with a log in it. */
export class LogBench implements Disposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "driverspace_logs." });
  readonly path = `${this.folder}/a.log`;

  /** Adds text as it is. */
  write(text: string, path = this.path): void {
    Deno.writeTextFileSync(path, text, { append: true });
  }

  /** Adds whole lines with these numbers. */
  lines(...numbers: readonly number[]): void {
    this.write(numbers.map((number) => `${line(number)}\n`).join(""));
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}
