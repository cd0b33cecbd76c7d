/**
 * Reads what `strace -f` wrote about a launch, from the moment the launcher
 * became the driver.
 */

/** One system call, whole. */
export interface TracedCall {
  readonly name: string;
  /** As strace writes them. */
  readonly args: string;
  /** Negative: refused. */
  readonly isRefused: boolean;
}

const WHOLE = /^(\d+)\s+(\w+)\((.*)\)\s+=\s+(\?|-?\w+)/;
const BEGIN = /^(\d+)\s+(\w+)\((.*) <unfinished \.\.\.>$/;
const END = /^(\d+)\s+<\.\.\. (\w+) resumed>(.*)\)\s+=\s+(\?|-?\w+)/;

/** The driver's calls in order: after the second execve that succeeded. */
export function driverCalls(trace: string): readonly TracedCall[] {
  const calls = allCalls(trace);
  const execs = calls.flatMap(({ name, isRefused }, at) =>
    name === "execve" && !isRefused ? [at] : []
  );
  const last = execs.at(-1);
  if (last === undefined) throw new Error("The trace has no execve");
  return calls.slice(last + 1);
}

function allCalls(trace: string): TracedCall[] {
  const calls: TracedCall[] = [];
  const begun = new Map<string, string>();
  for (const line of trace.split("\n")) {
    const [, thread = "", name = "", args = ""] = BEGIN.exec(line) ?? [];
    if (thread !== "") {
      begun.set(thread, args);
      // It may never come back: the process can end first.
      if (name === "exit_group") calls.push({ name, args, isRefused: false });
      continue;
    }
    const [, ...whole] = WHOLE.exec(line) ?? END.exec(line) ?? [];
    const [of = "", what = "", rest = "", result = ""] = whole;
    if (what === "") continue;
    const text = line.includes(" resumed>") ? `${begun.get(of)}${rest}` : rest;
    calls.push({ name: what, args: text, isRefused: result.startsWith("-") });
  }
  return calls;
}

/** Paths that were opened, as the driver named them. */
export function openedPaths(calls: readonly TracedCall[]): readonly string[] {
  const opens = calls.filter(({ name, isRefused }) =>
    /^(open|openat|openat2|creat)$/.test(name) && !isRefused
  );
  return opens.map(({ args }) => /"([^"]*)"/.exec(args)?.[1] ?? args);
}
