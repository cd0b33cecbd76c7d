/**
 * The client process of `libusb_contract.ts`: runs tests of the port contract
 * by name, with the real libusb, on a bus in another process.
 *
 * libusb_runner.ts SOCKET
 */

import { LibusbPort } from "../../ffi/libusb_port.ts";
import { busControl, type BusReply, type ContractBench } from "./bench.ts";
import { PORT_CONTRACT, runContractTest } from "./port_contract.ts";
import {
  JsonLines,
  type RunnerOrder,
  type RunnerReport,
} from "./runner_protocol.ts";

const [path = ""] = Deno.args;
const lines = new JsonLines<RunnerOrder, RunnerReport>(
  await Deno.connect({ transport: "unix", path }),
);
const replies = new Map<number, (reply: BusReply) => void>();
let lastId = 0;

for await (const order of lines) {
  if (order.type === "reply") {
    replies.get(order.id)?.(order.reply);
    replies.delete(order.id);
  } else void run(order.name);
}
Deno.exit(0);

async function run(name: string): Promise<void> {
  const failure = await failureOf(name);
  await lines.send({
    type: "result",
    name,
    ...(failure === undefined ? {} : { failure }),
  });
}

async function failureOf(name: string): Promise<string | undefined> {
  const test = PORT_CONTRACT.find((candidate) => candidate.name === name);
  if (test === undefined) return `There is no test ${name}`;
  try {
    await runContractTest(test, makeBench);
    return undefined;
  } catch (error) {
    return error instanceof Error
      ? error.stack ?? error.message
      : String(error);
  }
}

async function makeBench(): Promise<ContractBench> {
  const port = await LibusbPort.open();
  return {
    port,
    bus: busControl((command) => {
      const id = ++lastId;
      const { promise, resolve } = Promise.withResolvers<BusReply>();
      replies.set(id, resolve);
      lines.send({ type: "command", id, command });
      return promise;
    }),
    advance: (durationMs) =>
      new Promise((later) => setTimeout(later, durationMs)),
    dispose: () => port.close(),
  };
}
