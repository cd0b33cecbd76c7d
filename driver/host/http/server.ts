/**
 * Where the interface is reached: a Unix socket that only its owner opens, and,
 * where asked for, a port of the loopback address behind a token.
 *
 * @module
 */

/** Answers a request; never rejects. */
export type Handle = (request: Request) => Promise<Response>;

/** Where to listen. */
export interface ListenOptions {
  /** Absolute path of the socket. */
  readonly socket: string;
  /** A loopback port besides; 0 takes any. Then a token is needed. */
  readonly port?: number;
  /** What requests over TCP must bear: `Authorization: Bearer TOKEN`. */
  readonly token?: string;
}

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
  const { socket, port, token } = options;
  if (port !== undefined && (token ?? "").length < TOKEN_LENGTH_MIN) {
    throw new ListenError(
      `Cannot listen on a port without a token of ${TOKEN_LENGTH_MIN} characters`,
    );
  }
  await makeRoom(socket);
  const servers = [serveSocket(handle, socket)];
  let taken: number | undefined;
  if (port !== undefined) {
    try {
      const server = servePort(withToken(handle, token ?? ""), port);
      taken = server.addr.port;
      servers.push(server);
    } catch (error) {
      await closeAll(servers);
      throw new ListenError(
        `Cannot listen on 127.0.0.1:${port}: ${reasonOf(error)}`,
      );
    }
  }
  return { port: taken, close: () => closeAll(servers) };
}

/**
 * Reads a token: the first line of a file that only its owner may read.
 *
 * @throws {ListenError} When others may read it, or it is too short.
 */
export function readToken(path: string): string {
  let text: string;
  try {
    const { mode } = Deno.statSync(path);
    if (mode !== null && (mode & 0o077) !== 0) {
      throw new Error("others may read it; chmod 600 it");
    }
    text = Deno.readTextFileSync(path).split("\n")[0]?.trim() ?? "";
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
    const error = { code: "unauthorized", message: "Show the token" };
    return Promise.resolve(
      new Response(JSON.stringify({ error }), {
        status: 401,
        headers: {
          "content-type": "application/json",
          "www-authenticate": "Bearer",
        },
      }),
    );
  };
}

function serveSocket(handle: Handle, path: string): Deno.HttpServer {
  // Its owner's from the moment it exists; whatever else is made meanwhile stays usable.
  const before = Deno.umask(0o077);
  try {
    const server = Deno.serve({ path, onListen: () => {} }, handle);
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
  port: number,
): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve(
    { hostname: "127.0.0.1", port, onListen: () => {} },
    handle,
  );
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
