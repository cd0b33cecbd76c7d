/**
 * Where the interface is reached: a Unix socket that only its owner opens, and,
 * where asked for, a port of the loopback address behind a token.
 *
 * @module
 */

import { readSecretLine } from "../private_file.ts";
import { type Handle, refusal } from "./answers.ts";
import { guardBrowsers } from "./browser_guard.ts";

/** Where to listen on the loopback address. */
export interface PortOptions {
  /** 0 takes any. */
  readonly port: number;
  /** What requests must bear: `Authorization: Bearer TOKEN`. */
  readonly token: string;
  /** Answers what needs no token, since it says nothing of this machine; else `undefined`. */
  readonly page?: ServePage;
}

/** Where to listen. */
export interface ListenOptions extends Partial<PortOptions> {
  /** Absolute path of the socket. */
  readonly socket: string;
}

/** Answers requests for the files of a page, and no others. */
export type ServePage = (request: Request) => Promise<Response> | undefined;

/** A server that listens. */
export interface RunningServer {
  /** The port that was taken, if there is one. */
  readonly port: number | undefined;
  /** Takes no more requests and ends when those at work are answered, or after a second. */
  close(): Promise<void>;
}

/** The place is taken, or cannot be had. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

/** A token that can be guessed protects nothing. */
const TOKEN_LENGTH_MIN = 16;
/** From the end of listening to cutting what is still at work: event streams were ended before. */
const CLOSE_TIMEOUT_MS = 1_000;

/**
 * Listens.
 *
 * @throws {ListenError} With one sentence.
 */
export async function listen(
  handle: Handle,
  options: ListenOptions,
): Promise<RunningServer> {
  const { socket, port, token = "", page } = options;
  if (port !== undefined) checkToken(token);
  await makeRoom(socket);
  const server = serveSocket(withPage(handle, page), socket);
  if (port === undefined) {
    return { port, close: () => closeAll([server]) };
  }
  try {
    const onPort = servePort(handle, { ...options, port, token });
    const close = (): Promise<void> => closeAll([server, onPort]);
    return { port: onPort.addr.port, close };
  } catch (error) {
    await closeAll([server]);
    throw error;
  }
}

/**
 * Listens on a port of the loopback address only.
 *
 * @throws {ListenError} With one sentence.
 */
export function listenOnPort(
  handle: Handle,
  options: PortOptions,
): RunningServer & { readonly port: number } {
  checkToken(options.token);
  const server = servePort(handle, options);
  return { port: server.addr.port, close: () => closeAll([server]) };
}

/**
 * Reads a token: the first line of a file that only its owner may read.
 *
 * @throws {ListenError} When others may read it, or it is too short.
 */
export function readToken(path: string): string {
  let text: string;
  try {
    text = readSecretLine(path);
  } catch (error) {
    throw new ListenError(
      `Cannot use the token file ${path}: ${reasonOf(error)}`,
    );
  }
  if (text.length >= TOKEN_LENGTH_MIN) return text;
  throw new ListenError(
    `Cannot use the token file ${path}: its first line has less than ${TOKEN_LENGTH_MIN} characters`,
  );
}

/** Lets requests through that bear the token. */
export function withToken(handle: Handle, token: string): Handle {
  return (request) => {
    const given = request.headers.get("authorization") ?? "";
    if (isEqual(given, `Bearer ${token}`)) return handle(request);
    const response = refusal(401, "unauthorized", "Show the token");
    response.headers.set("www-authenticate", "Bearer");
    return Promise.resolve(response);
  };
}

function checkToken(token: string): void {
  if (token.length >= TOKEN_LENGTH_MIN) return;
  throw new ListenError(
    `Cannot listen on a port without a token of ${TOKEN_LENGTH_MIN} characters`,
  );
}

function withPage(handle: Handle, page: ServePage | undefined): Handle {
  return (request) => page?.(request) ?? handle(request);
}

function serveSocket(handle: Handle, path: string): Deno.HttpServer {
  // Its owner's from the moment it exists; whatever else is made meanwhile stays usable.
  const before = Deno.umask(0o077);
  try {
    const server = Deno.serve(
      { path, onListen: () => {} },
      guardBrowsers(handle, "socket"),
    );
    Deno.chmodSync(path, 0o600);
    return server;
  } catch (error) {
    throw new ListenError(`Cannot listen on ${path}: ${reasonOf(error)}`);
  } finally {
    Deno.umask(before);
  }
}

function servePort(
  handle: Handle,
  { port, token, page }: PortOptions,
): Deno.HttpServer<Deno.NetAddr> {
  const behindToken = withToken(handle, token);
  try {
    return Deno.serve(
      { hostname: "127.0.0.1", port, onListen: () => {} },
      guardBrowsers(withPage(behindToken, page), "port"),
    );
  } catch (error) {
    throw new ListenError(
      `Cannot listen on 127.0.0.1:${port}: ${reasonOf(error)}`,
    );
  }
}

/** A socket that nobody answers is left from a process that was killed. */
async function makeRoom(path: string): Promise<void> {
  let info: Deno.FileInfo;
  try {
    info = Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new ListenError(`Cannot listen on ${path}: ${reasonOf(error)}`);
  }
  if (info.isSocket !== true) {
    throw new ListenError(`Cannot listen on ${path}: it is no socket`);
  }
  if (await isAnswered(path)) {
    throw new ListenError(
      `Cannot listen on ${path}: somebody listens there already`,
    );
  }
  Deno.removeSync(path);
}

async function isAnswered(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.ConnectionRefused);
  }
}

async function closeAll(servers: readonly Deno.HttpServer[]): Promise<void> {
  const over = Promise.all(servers.map((server) => server.shutdown()));
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) =>
    timer = setTimeout(resolve, CLOSE_TIMEOUT_MS)
  );
  await Promise.race([over, late]);
  clearTimeout(timer);
}

/** Takes as long for a wrong text as for a right one. */
function isEqual(given: string, wanted: string): boolean {
  let difference = given.length ^ wanted.length;
  for (let at = 0; at < wanted.length; at++) {
    difference |= (given.charCodeAt(at) || 0) ^ wanted.charCodeAt(at);
  }
  return difference === 0;
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) return "it is in use";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.NotFound) return "there is no such place";
  return error instanceof Error ? error.message : String(error);
}
