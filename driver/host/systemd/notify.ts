/**
 * Telling systemd how the service does: sd_notify(3) without native code, by a
 * datagram to the socket it names. Not under systemd everything is a no-op.
 *
 * Deno has datagrams on Unix sockets behind `--unstable-net`; without it, and
 * where a permission is missing, the service runs on and the reason is told.
 *
 * @module
 */

/** Sends one message to the manager; never rejects. */
export type SendToManager = (message: string) => Promise<void>;

/** A way to the manager. */
export interface ManagerSocket {
  /** Why there is none although systemd asked for it. */
  readonly problem: string | undefined;
  readonly send: SendToManager;
  close(): void;
}

/** As much of Deno's datagram socket as is used; its type is behind the flag, too. */
interface Datagram {
  send(
    message: Uint8Array,
    to: { readonly transport: "unixpacket"; readonly path: string },
  ): Promise<number>;
  close(): void;
}

type ListenDatagram = (
  options: { readonly transport: "unixpacket"; readonly path: string },
) => Datagram;

/** For whoever has no manager. */
export const NO_MANAGER: ManagerSocket = {
  problem: undefined,
  send: () => Promise.resolve(),
  close: () => {},
};

/**
 * Opens the way to the manager. `notifySocket` is the variable NOTIFY_SOCKET;
 * `ownPath` is where our end of it is made: a path nobody else uses.
 */
export function openManagerSocket(
  notifySocket: string | undefined,
  ownPath: string,
): ManagerSocket {
  if (notifySocket === undefined || notifySocket === "") return NO_MANAGER;
  const path = managerPath(notifySocket);
  if (path === undefined) {
    return {
      ...NO_MANAGER,
      problem: "NOTIFY_SOCKET is neither a path nor an abstract address",
    };
  }
  try {
    return connect(path, ownPath);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ...NO_MANAGER, problem: `Cannot notify systemd: ${reason}` };
  }
}

/** `@name` is an abstract address: a NUL byte in place of the `@`. */
export function managerPath(notifySocket: string): string | undefined {
  if (notifySocket.startsWith("/")) return notifySocket;
  if (notifySocket.length < 2 || !notifySocket.startsWith("@")) {
    return undefined;
  }
  return `\0${notifySocket.slice(1)}`;
}

function connect(path: string, ownPath: string): ManagerSocket {
  const { listenDatagram } = Deno as unknown as {
    readonly listenDatagram?: ListenDatagram;
  };
  if (listenDatagram === undefined) {
    throw new Error("it needs the flag --unstable-net");
  }
  remove(ownPath);
  const socket = listenDatagram({ transport: "unixpacket", path: ownPath });
  return {
    problem: undefined,
    send: async (message) => {
      try {
        await socket.send(new TextEncoder().encode(message), {
          transport: "unixpacket",
          path,
        });
      } catch {
        // A manager that does not listen now may do so next time.
      }
    },
    close: () => {
      socket.close();
      remove(ownPath);
    },
  };
}

/** Left from a process that was killed. */
function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // It is not there.
  }
}
