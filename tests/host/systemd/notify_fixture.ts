/** Plays systemd and the service in one process: prints what the manager hears. */

import { openManagerSocket } from "../../../driver/host/systemd/notify.ts";

const [notifySocket = "", listenPath = "", ownPath = ""] = Deno.args;
const manager = (Deno as unknown as {
  listenDatagram(options: { transport: string; path: string }): {
    receive(): Promise<[Uint8Array, unknown]>;
    close(): void;
  };
}).listenDatagram({
  transport: "unixpacket",
  path: listenPath.replace("@", "\0"),
});
const socket = openManagerSocket(notifySocket, ownPath);
console.log(JSON.stringify({ problem: socket.problem ?? null }));
if (socket.problem === undefined) {
  for (const message of ["READY=1", "WATCHDOG=1", "STOPPING=1"]) {
    await socket.send(message);
    const [bytes] = await manager.receive();
    console.log(JSON.stringify({ heard: new TextDecoder().decode(bytes) }));
  }
}
socket.close();
manager.close();
