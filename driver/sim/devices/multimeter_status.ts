/**
 * Status reporting: event registers, their summaries in the status byte, the
 * service request, and the error queue. IEEE 488.2-1992, 11; SCPI-99, volume 1,
 * 9 and volume 2, 21.
 *
 * @module
 */

/** Bits of the status byte. IEEE 488.2-1992, 11.2; SCPI-99, volume 1, 9.1. */
export const StatusBit = {
  errorQueue: 0x04,
  questionable: 0x08,
  messageAvailable: 0x10,
  eventStatus: 0x20,
  /** RQS in a serial poll, MSS in `*STB?`. */
  requestService: 0x40,
  operation: 0x80,
} as const;

/** Bits of the standard event status register. IEEE 488.2-1992, 11.5.1.1. */
export const EventBit = {
  operationComplete: 0x01,
  queryError: 0x04,
  deviceError: 0x08,
  executionError: 0x10,
  commandError: 0x20,
  powerOn: 0x80,
} as const;

/** Entries of the error queue; the last one then says that it overflowed. */
const ERROR_QUEUE_ENTRIES = 20;
const QUEUE_OVERFLOW = -350;

/** Texts of the errors this instrument has. SCPI-99, volume 2, 21.8. */
const MESSAGES: Readonly<Record<number, string>> = {
  0: "No error",
  [-101]: "Invalid character",
  [-102]: "Syntax error",
  [-104]: "Data type error",
  [-108]: "Parameter not allowed",
  [-109]: "Missing parameter",
  [-112]: "Program mnemonic too long",
  [-113]: "Undefined header",
  [-131]: "Invalid suffix",
  [-141]: "Invalid character data",
  [-151]: "Invalid string data",
  [-211]: "Trigger ignored",
  [-213]: "Init ignored",
  [-214]: "Trigger deadlock",
  [-222]: "Data out of range",
  [-223]: "Too much data",
  [-224]: "Illegal parameter value",
  [-230]: "Data corrupt or stale",
  [-350]: "Queue overflow",
  [-363]: "Input buffer overrun",
  [-410]: "Query INTERRUPTED",
  [-420]: "Query UNTERMINATED",
};

/** Condition, event and enable of one SCPI register. SCPI-99, volume 1, 9.3. */
export class StatusRegister {
  condition = 0;
  event = 0;
  enable = 0;
  readonly #changed: () => void;

  /** `changed` is called when the summary may have changed. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Whether the register contributes to the status byte. */
  get isSummarized(): boolean {
    return (this.event & this.enable) !== 0;
  }

  /** Sets or clears condition bits; those that become set are events. */
  set(bits: number, isOn: boolean): void {
    const next = isOn ? this.condition | bits : this.condition & ~bits;
    this.event |= next & ~this.condition;
    this.condition = next;
    this.#changed();
  }

  /** Reads the events, which clears them. */
  takeEvent(): number {
    const { event } = this;
    this.event = 0;
    this.#changed();
    return event;
  }
}

/** The status model of one instrument. */
export class StatusModel {
  readonly operation: StatusRegister = new StatusRegister(() => this.update());
  readonly questionable: StatusRegister = new StatusRegister(() =>
    this.update()
  );
  readonly #requestService: () => void;
  readonly #errors: number[] = [];
  #events: number = EventBit.powerOn;
  #eventEnable = 0;
  #serviceEnable = 0;
  #isMessageAvailable = false;
  /** Enabled reasons already asked for: only a new one asks again. */
  #reasons = 0;
  #isRequesting = false;

  /** `requestService` is called when RQS becomes true. */
  constructor(requestService: () => void) {
    this.#requestService = requestService;
  }

  /** `*ESE`. */
  get eventEnable(): number {
    return this.#eventEnable;
  }
  set eventEnable(mask: number) {
    this.#eventEnable = mask & 0xff;
    this.update();
  }

  /** `*SRE`; bit 6 cannot be set. IEEE 488.2-1992, 11.3.2. */
  get serviceEnable(): number {
    return this.#serviceEnable;
  }
  set serviceEnable(mask: number) {
    this.#serviceEnable = mask & 0xff & ~StatusBit.requestService;
    this.update();
  }

  /** MAV: an answer waits. */
  set messageAvailable(isAvailable: boolean) {
    this.#isMessageAvailable = isAvailable;
    this.update();
  }

  /** `*STB?`: with the master summary in bit 6. */
  get statusByte(): number {
    const summary = this.#summary();
    const isMaster = (summary & this.#serviceEnable) !== 0;
    return summary | (isMaster ? StatusBit.requestService : 0);
  }

  /** Serial poll: with RQS in bit 6, which it withdraws. IEEE 488.2-1992, 11.2.2. */
  serialPoll(): number {
    const requesting = this.#isRequesting ? StatusBit.requestService : 0;
    this.#isRequesting = false;
    return this.#summary() | requesting;
  }

  /** Whether service is being asked for. */
  get isRequesting(): boolean {
    return this.#isRequesting;
  }

  /** Sets a bit of the standard event status register. */
  raise(bit: number): void {
    this.#events |= bit;
    this.update();
  }

  /** `*ESR?`: reads and clears. */
  takeEvents(): number {
    const events = this.#events;
    this.#events = 0;
    this.update();
    return events;
  }

  /** Queues an error and sets the event bit of its class. SCPI-99, volume 2, 21.8.2. */
  error(number: number): void {
    if (this.#errors.length < ERROR_QUEUE_ENTRIES) this.#errors.push(number);
    else this.#errors[ERROR_QUEUE_ENTRIES - 1] = QUEUE_OVERFLOW;
    this.raise(eventBitOf(number));
  }

  /** Oldest entry of the error queue, as `SYSTem:ERRor?` answers. */
  takeError(): string {
    const number = this.#errors.shift() ?? 0;
    this.update();
    const sign = number < 0 ? "" : "+";
    return `${sign}${number},"${MESSAGES[number] ?? "Device-specific error"}"`;
  }

  /** Entries in the error queue. */
  get errorCount(): number {
    return this.#errors.length;
  }

  /** `*CLS`: events and errors go, enables stay. IEEE 488.2-1992, 10.3. */
  clear(): void {
    this.#events = 0;
    this.#errors.length = 0;
    this.operation.event = 0;
    this.questionable.event = 0;
    this.update();
  }

  /** Recomputes the summary; a new enabled reason asks for service. IEEE 488.2-1992, 11.3.3. */
  update(): void {
    const reasons = this.#summary() & this.#serviceEnable;
    const isNew = (reasons & ~this.#reasons) !== 0;
    this.#reasons = reasons;
    if (reasons === 0) this.#isRequesting = false;
    // Asked once already, until the serial poll. USB488 1.00, 3.4.1.
    if (!isNew || this.#isRequesting) return;
    this.#isRequesting = true;
    this.#requestService();
  }

  #summary(): number {
    return (this.#errors.length > 0 ? StatusBit.errorQueue : 0) |
      (this.questionable.isSummarized ? StatusBit.questionable : 0) |
      (this.#isMessageAvailable ? StatusBit.messageAvailable : 0) |
      ((this.#events & this.#eventEnable) !== 0 ? StatusBit.eventStatus : 0) |
      (this.operation.isSummarized ? StatusBit.operation : 0);
  }
}

/** The class of an error is in its hundreds. SCPI-99, volume 2, 21.8.3. */
function eventBitOf(number: number): number {
  if (number <= -400) return EventBit.queryError;
  if (number <= -300) return EventBit.deviceError;
  if (number <= -200) return EventBit.executionError;
  return EventBit.commandError;
}
