/**
 * The USBTMC driver: test and measurement instruments, plain and USB488.
 *
 * ```sh
 * driverspace run usbtmc --device 0957:1755 --set poll=READ?
 * ```
 *
 * @module
 */

import { defineDriver, type Driver, type SafeStateStep } from "../../driver.ts";
import { UsbError } from "../../errors.ts";
import { renControl } from "./control_requests.ts";
import { COMMANDS } from "./driver_commands.ts";
import {
  ANY_ERROR,
  EVENT_STATUS,
  OPERATION_COMPLETE,
  poll,
  serve,
  tellErrors,
} from "./driver_poll.ts";
import {
  clientOf,
  endsDriver,
  initialState,
  NOTIFICATION_INPUT,
  openClient,
  OPTIONS,
  POLL_TIMER,
  type UsbtmcContext,
  type UsbtmcEvents,
  type UsbtmcState,
} from "./driver_state.ts";
import { decodeNotification } from "./notification.ts";
import {
  INTERFACE_CLASS,
  INTERFACE_SUBCLASS,
  PROTOCOL_USB488,
  PROTOCOL_USBTMC,
} from "./pipes.ts";
import type { Usbtmc } from "./usbtmc.ts";

export type { UsbtmcEvents, UsbtmcState } from "./driver_state.ts";

const INTERFACE = {
  interfaceClass: INTERFACE_CLASS,
  interfaceSubclass: INTERFACE_SUBCLASS,
} as const;

/** `stop` has little time, and the instrument may be what hangs. */
const STOP_WRITE_TIMEOUT_MS = 200;

/**
 * Remote enable released: the person at the instrument has the front panel
 * back, lockout included (IEEE 488.1, RL). It changes no output, which no class
 * request could do for every instrument. INITIATE_CLEAR is left out on purpose:
 * it halts bulk OUT until someone goes on with it (USBTMC 1.00, 4.2.1.6), and
 * the next program to open the instrument may not; our own clears it at start.
 */
const SAFE_STATE: readonly SafeStateStep[] = [{
  description: "Release remote enable: the front panel works again",
  setup: renControl(false, 0).setup,
  lengthBytes: renControl(false, 0).lengthBytes,
  indexFrom: INTERFACE,
}];

/** The USBTMC driver, for `driverspace run usbtmc` and for sessions of one's own. */
const usbtmc: Driver<UsbtmcState, UsbtmcEvents> = defineDriver<
  UsbtmcState,
  UsbtmcEvents
>({
  name: "usbtmc",
  description: "Test and measurement instruments (USBTMC, USB488, SCPI)",
  match: [PROTOCOL_USBTMC, PROTOCOL_USB488].map((interfaceProtocol) => ({
    ...INTERFACE,
    interfaceProtocol,
  })),
  interfaces: [INTERFACE],
  // The last step of recovery, when a device does not finish CLEAR.
  requests: ["reset"],
  options: OPTIONS,
  init: initialState,
  start,
  inputs: [{
    name: NOTIFICATION_INPUT,
    endpoint: { type: "interrupt", direction: "in" },
    optional: true,
    overflow: "pause",
    handle: async (state, report, context) => {
      const notification = decodeNotification(report.data);
      if (notification?.type === "serviceRequest") await serve(state, context);
    },
  }],
  onTimer: (state, _name, context) => poll(state, context),
  commands: COMMANDS,
  values: {
    reading: {
      value: { description: "Reading", type: "number", unitFrom: "unit" },
    },
  },
  safeState: SAFE_STATE,
  stop,
});

export default usbtmc;

/** Enumeration (capabilities, clear, identity), then status, then configuration. */
async function start(
  state: UsbtmcState,
  context: UsbtmcContext,
): Promise<void> {
  const client = state.client = await openClient(context);
  state.awaitingSinceMs = undefined;
  await identify(state, context);
  if (client.capabilities.is4882) {
    await client.query("*ESR?", { timeoutMs: state.timeoutMs });
    await tellErrors(client, context);
  }
  if (state.usesServiceRequest) await armServiceRequest(client, context);
  if (state.poll !== undefined) context.setTimer(POLL_TIMER, 0);
}

/** An instrument that does not know `*IDN?` is still an instrument. */
async function identify(
  state: UsbtmcState,
  context: UsbtmcContext,
): Promise<void> {
  const { timeoutMs } = state;
  try {
    const identity = await clientOf(state, context).identify({ timeoutMs });
    state.identity = identity;
    const { manufacturer, model, serialNumber: serial, firmware } = identity;
    context.log("info", "usbtmc.identified", "The instrument says who it is", {
      manufacturer,
      model,
      serial,
      firmware,
    });
  } catch (error) {
    if (endsDriver(error) || !(error instanceof UsbError)) throw error;
    context.log("warn", "usbtmc.unidentified", error.message, {
      code: error.code,
    });
  }
}

/** Service is requested when an operation is complete, or an error happened. */
async function armServiceRequest(
  client: Usbtmc,
  context: UsbtmcContext,
): Promise<void> {
  if (client.pipes.interruptIn === undefined) {
    throw context.device.error(
      "notSupported",
      "arm service requests",
      "the instrument has no interrupt endpoint",
      "Leave the option service-request off",
    );
  }
  const enabled = OPERATION_COMPLETE | ANY_ERROR;
  await client.write(`*CLS;*ESE ${enabled};*SRE ${EVENT_STATUS}`);
}

/** Nobody will answer a service request any more. */
async function stop(state: UsbtmcState, context: UsbtmcContext): Promise<void> {
  context.clearTimer(POLL_TIMER);
  if (!state.usesServiceRequest || state.client === undefined) return;
  try {
    await state.client.write("*SRE 0", { timeoutMs: STOP_WRITE_TIMEOUT_MS });
  } catch (error) {
    if (!(error instanceof UsbError)) throw error;
    context.log("warn", "usbtmc.stop_failed", error.message, {
      code: error.code,
    });
  }
}
