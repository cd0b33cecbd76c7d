/**
 * A child process as hosts use one, however it was started: by the system, or
 * inside a virtual bus.
 *
 * @module
 */

/** A process that sees a virtual bus, or a driver process. */
export interface ClientProcess {
  readonly pid: number;
  /** Absent where inherited. */
  readonly stdin: WritableStream<Uint8Array> | undefined;
  readonly stdout: ReadableStream<Uint8Array> | undefined;
  readonly stderr: ReadableStream<Uint8Array> | undefined;
  readonly status: Promise<Deno.CommandStatus>;
  kill(signal: Deno.Signal): void;
}

/** How to start a client. */
export interface ClientOptions {
  readonly stdio: "inherit" | "piped";
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a program by the system. The environment is only what `env` says. */
export function spawnClient(
  command: readonly string[],
  options: ClientOptions,
): ClientProcess {
  const [program = "", ...args] = command;
  const { stdio, env = {} } = options;
  const child = new Deno.Command(program, {
    args,
    env,
    clearEnv: true,
    stdin: stdio,
    stdout: stdio,
    stderr: stdio,
  }).spawn();
  const isPiped = stdio === "piped";
  return {
    pid: child.pid,
    stdin: isPiped ? child.stdin : undefined,
    stdout: isPiped ? child.stdout : undefined,
    stderr: isPiped ? child.stderr : undefined,
    status: child.status,
    kill: (signal) => child.kill(signal),
  };
}
