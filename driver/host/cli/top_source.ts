/**
 * Where `driverspace top` has its answers from: a supervisor's socket.
 *
 * @module
 */

import type { AskOptions, SupervisorAnswer } from "../supervisor/client.ts";
import { CliError, EXIT } from "./exit_codes.ts";
import type { TopDriver, TopLog, TopStatus } from "./top_answers.ts";
import type { TopSample } from "./top_model.ts";

/** Asks for a path. @throws {CliError} When nobody answers. */
export type Ask = (
  path: string,
  options?: AskOptions,
) => Promise<SupervisorAnswer>;

/** Answers asked for at a time: a supervisor has other clients, too. */
const AT_A_TIME = 8;
/** Lines of a log that are shown. */
const LOG_LINES = 20;

/**
 * Asks for everything.
 *
 * @throws {CliError} When nobody answers, or not as a supervisor does.
 */
export async function askForSample(
  ask: Ask,
  nowMs: () => number,
): Promise<TopSample> {
  const status = await json<TopStatus>(ask, "/status");
  const names = status.drivers.map(({ name }) => name);
  const drivers = new Map<string, TopDriver>();
  for (let at = 0; at < names.length; at += AT_A_TIME) {
    const some = names.slice(at, at + AT_A_TIME);
    const answers = await Promise.all(
      some.map((name) => detail(ask, name)),
    );
    for (const [index, name] of some.entries()) {
      const short = status.drivers[at + index];
      const driver = answers[index] ?? short;
      if (driver !== undefined) drivers.set(name, driver);
    }
  }
  return { atMs: nowMs(), status, drivers };
}

/** The last lines of a driver's log; `undefined` where there are none to be had. */
export async function askForLog(
  ask: Ask,
  name: string,
): Promise<TopLog | undefined> {
  const path = `${pathOf(name)}/log?lines=${LOG_LINES}`;
  const { status, body } = await ask(path);
  return status === 200 ? parse<TopLog>(body) : undefined;
}

/** Has a driver started again; gives what a person is told. */
export async function askForRetry(ask: Ask, name: string): Promise<string> {
  try {
    const { status, body } = await ask(`${pathOf(name)}/retry`, {
      method: "POST",
    });
    if (status < 300) return `${name}: told to start`;
    const { error } = parse<{ error?: { message?: string } }>(body);
    return `${name}: ${error?.message ?? `refused with ${status}`}`;
  } catch (error) {
    if (error instanceof CliError) return error.message;
    throw error;
  }
}

/** A driver may be gone by a reload since its name was told. */
async function detail(ask: Ask, name: string): Promise<TopDriver | undefined> {
  const { status, body } = await ask(pathOf(name));
  return status === 200 ? parse<TopDriver>(body) : undefined;
}

async function json<T>(ask: Ask, path: string): Promise<T> {
  const { status, body } = await ask(path);
  if (status === 200) return parse<T>(body);
  throw strange(`${path} gives ${status}`);
}

function parse<T>(body: string): T {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === "object" && value !== null) return value as T;
  } catch {
    // Told below.
  }
  throw strange("what it answers is no JSON");
}

function strange(reason: string): CliError {
  return new CliError(
    EXIT.unavailable,
    `Whoever listens at the socket is no supervisor of this version: ${reason}`,
  );
}

function pathOf(name: string): string {
  return `/drivers/${encodeURIComponent(name)}`;
}
