/** A driver of the heater that dies in every way there is, when told to. */

import {
  defineDriver,
  type Driver,
  type DriverContext,
} from "../../../driver/driver.ts";
import type { SetupPacket } from "../../../driver/usb.ts";
import { HEATER } from "./heater.ts";

const INTERFACE = {
  interfaceClass: HEATER.interfaceClass,
  interfaceSubclass: HEATER.interfaceSubclass,
};

/** Native code, bound while the runtime still lets us: as a bug of libusb would have it. */
const native = bindNative();

interface State {
  readonly target: number;
  readonly dies: string;
}

const driver: Driver<State> = defineDriver<State>({
  name: "heater",
  description: "Heats, and must not be left heating",
  match: [{ vendorId: HEATER.vendorId, productId: HEATER.productId }],
  interfaces: [INTERFACE],
  options: {
    target: {
      type: "integer",
      minimum: 0,
      maximum: 300,
      description: "Degrees",
    },
    dies: {
      type: "string",
      maxLength: 16,
      optional: true,
      description: "How it dies while it starts",
    },
  },
  init: (options) => ({
    target: Number(options["target"]),
    dies: String(options["dies"] ?? ""),
  }),
  start: async (state, context) => {
    await tell(context, HEATER.target, state.target);
    await tell(context, HEATER.power, 80);
    if (state.dies !== "") await die(state.dies);
    context.emit("heating", { target: state.target });
  },
  commands: {
    die: {
      description: "Dies",
      params: {
        how: { type: "string", maxLength: 16, description: "In which way" },
      },
      run: async (_state, { how }) => {
        await die(String(how));
        return null;
      },
    },
    temperature: {
      description: "Degrees now",
      idempotent: true,
      run: async (_state, _params, context) => {
        const setup = setupOf(HEATER.temperature, 0);
        const [degrees = 0] = await context.device.controlIn(setup, 1);
        return degrees;
      },
    },
    boost: {
      description: "Heats with all there is",
      run: async (_state, _params, context) => {
        await tell(context, HEATER.power, 100);
        return null;
      },
    },
  },
  safeState: [
    {
      description: "Turn the heating off",
      setup: { ...setupOf(HEATER.power, 0), index: 0 },
      indexFrom: INTERFACE,
    },
    {
      description: "Arm the alarm",
      setup: {
        requestType: "vendor",
        recipient: "device",
        request: HEATER.alarm,
        value: 0,
        index: 0,
      },
      data: [1, 2],
    },
  ],
});

export default driver;

function setupOf(request: number, value: number): SetupPacket {
  return {
    requestType: "class",
    recipient: "interface",
    request,
    value,
    index: 1,
  };
}

async function tell(
  context: DriverContext,
  request: number,
  value: number,
): Promise<void> {
  await context.device.controlOut(setupOf(request, value));
}

async function die(how: string): Promise<void> {
  switch (how) {
    case "hang":
      for (;;);
    case "throw":
      throw new Error("told to fail");
    case "reject":
      void Promise.reject(new Error("nobody awaits it"));
      return;
    case "garbage":
      Deno.stdout.writeSync(new TextEncoder().encode("no frame\n"));
      return;
    case "segfault":
      native?.memset(0n, 1, 8n);
      return;
    case "forbidden":
      // ptrace(PTRACE_TRACEME), which no driver needs.
      native?.syscall(Deno.build.arch === "x86_64" ? 101n : 117n, 0n);
      return;
    case "memory": {
      const hoard: number[][] = [];
      for (;;) {
        hoard.push(new Array<number>(1_000_000).fill(0.5));
        // It beats while it hoards: this is no hang. Plain numbers, which are
        // kept as such, cost the collector little.
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
    }
  }
}

interface Native {
  memset(address: bigint, byte: number, lengthBytes: bigint): void;
  syscall(number: bigint, argument: bigint): bigint;
}

/** `undefined` where the module is only read, without a right. */
function bindNative(): Native | undefined {
  try {
    const { library } = JSON.parse(Deno.args[0] ?? "") as { library: string };
    // SAFETY: the functions of the C library, as its manual has them; one is
    // called with a wrong address on purpose.
    return Deno.dlopen(library, {
      memset: { parameters: ["usize", "i32", "usize"], result: "void" },
      syscall: { parameters: ["i64", "usize"], result: "i64" },
    }).symbols;
  } catch {
    return undefined;
  }
}
