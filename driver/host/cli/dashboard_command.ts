/**
 * `driverspace dashboard`: the supervisor's page for a browser on this machine.
 *
 * @module
 */

import { forwardTo } from "../dashboard/forward.ts";
import { isOfPage } from "../dashboard/serve_page.ts";
import type { Handle } from "../http/answers.ts";
import { ListenError, listenOnPort } from "../http/server.ts";
import { type Command, type CommandCall, usageError } from "./command.ts";
import { CliError, EXIT, type ExitCode } from "./exit_codes.ts";
import { ask, SOCKET_FLAG, socketOf } from "./supervisor_access.ts";
import { harmless } from "./text.ts";

/** The command. */
export const dashboardCommand: Command = {
  name: "dashboard",
  summary: "Show a running supervisor in a browser",
  usage: "[--socket PATH] [--port N]",
  details:
    "Browsers know no Unix sockets: this listens on 127.0.0.1 and passes " +
    "on to the supervisor, until Ctrl-C. The address it prints bears a token " +
    "made for this run; whoever has the address may send commands. From another " +
    "machine: ssh -L N:127.0.0.1:N, with the same N behind --port.",
  flags: {
    ...SOCKET_FLAG,
    port: { description: "Port of 127.0.0.1; default: any", value: "N" },
  },
  examples: [
    "driverspace dashboard",
    "driverspace dashboard --socket /run/driverspace/socket --port 8080",
  ],
  positionals: [0, 0],
  run: dashboard,
};

async function dashboard(call: CommandCall): Promise<ExitCode> {
  const { io } = call;
  const socket = socketOf(call);
  const port = portOf(call);
  // Said now rather than in a page that stays empty.
  await ask(socket, "/livez");
  using forwarder = forwardTo(socket);
  const { handle } = forwarder;
  const token = makeToken();
  const server = listen({ port, token, handle });
  const asked = Promise.withResolvers<void>();
  const ignore = io.onInterrupt(() => asked.resolve());
  io.out(`http://127.0.0.1:${server.port}/#token=${token}\n`);
  io.err("Open this in a browser on this machine; Ctrl-C ends it\n");
  await asked.promise;
  ignore();
  forwarder[Symbol.dispose]();
  await server.close();
  return EXIT.done;
}

function portOf(call: CommandCall): number {
  const text = call.value("port") ?? "0";
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (port <= 65_535) return port;
  throw usageError(
    dashboardCommand,
    `Cannot use ${JSON.stringify(harmless(text, 40))} for --port: ` +
      "expected a number from 1 to 65535",
  );
}

/** The page comes from the supervisor, so that both are of one version. */
function listen(
  { port, token, handle }: {
    readonly port: number;
    readonly token: string;
    readonly handle: Handle;
  },
): ReturnType<typeof listenOnPort> {
  const page = (request: Request): Promise<Response> | undefined =>
    isOfPage(request) ? handle(request) : undefined;
  try {
    return listenOnPort(handle, { port, token, page });
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    throw new CliError(
      EXIT.busy,
      error.message,
      "Name another --port, or none: then any that is free is taken",
    );
  }
}

/** As hard to guess as a key of 256 bits. */
function makeToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}
