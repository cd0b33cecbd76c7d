/**
 * Moves completions from libusb to whoever waits for them. One pump per
 * context serves all its devices.
 *
 * libusb runs on the JavaScript thread only. What waits off the thread is a
 * plain poll(2) on libusb's descriptors, so nothing is read while libusb writes
 * it, no lock of libusb is ever contended, and many completions cost one wake.
 * While completions are expected soon the pump stays on the thread, napping in
 * ppoll(2), for a bounded time. Idle, it is parked or gone and costs nothing.
 *
 * @module
 */

import { Foresight, HOP_MS } from "./foresight.ts";
import { InFlightQueue } from "./in_flight_queue.ts";
import { TIMEVAL } from "./libusb_structs.ts";
import type { LibusbSymbols } from "./libusb_symbols.ts";
import type { Library } from "./library.ts";
import { nativeBytes, type Pointer } from "./memory.ts";
import { Pace } from "./pace.ts";
import { PollSet } from "./poll_set.ts";

/** Parking costs a hop through the thread pool of 50 to 100 µs; up to twice that, waiting on the thread is cheaper. */
const NAP_MS_MAX = 0.2;
/** A nap inside libusb's own event handling: it rounds up to milliseconds, so no less can be had. */
const LIBUSB_NAP_US = 1_000;
/** Timers, sockets and other tasks of the program get their turn at least this often while we stay. A turn costs as much as a hundred transfers, for what it does to the caches. */
const STAY_MS_MAX = 1;
/** Consumers resubmit a few promises after they were told; waiting before that would wait for nothing. */
const SETTLE_TICKS = 8;
/** libusb reaps no more transfers of a device at a time: 26 in all versions up to 1.0.30. */
const REAPED_PER_LOOK = 26;
/** Looks in a row without even a microtask between them, while each finds all there was. More, and a handler's lane is full before the handler has begun. */
const BURST_LOOKS = 4;
/** Longest sleep of a park without timers of libusb's: it is a safety net, not a rhythm. */
const PARK_MS_MAX = 60_000;
/** Short parks in a row that woke for nothing; then a descriptor is stuck and we slow down. */
const BARREN_PARKS_MAX = 16;
/** How long we slow down: 100 wakes a second are no load. */
const BARREN_PAUSE_MS = 10;

/** The pump. */
export class EventPump {
  readonly #symbols: LibusbSymbols;
  readonly #context: Pointer;
  readonly #nowMs: () => number;
  readonly #callNextTurn: (fire: () => void) => void;
  readonly #pollSet: PollSet;
  readonly #hasTimerDescriptor: boolean;
  /** Referenced as long as libusb may read them. */
  readonly #times = [nativeBytes(TIMEVAL.sizeBytes), napTime()] as const;
  readonly #zeroTime: Pointer;
  readonly #napTime: Pointer;
  readonly #pace = new Pace();
  readonly #foresight = new Foresight(this.#pace);
  readonly #active: InFlightQueue[] = [];
  readonly #wakeListeners = new Set<() => void>();

  /** In flight when the last look began. */
  #pending = 0;
  /** Of those in flight after it. */
  #left = 0;
  /** What a look left for the next one, for it reaps only so many. */
  #leftBehind = 0;
  #isRunning = false;
  #isClosed = false;
  /** When the event loop had its last turn, as far as we know. */
  #stayingSinceMs: number | undefined;
  #turn: Promise<void> | undefined;
  #running: Promise<void> | undefined;
  #park: Promise<void> | undefined;
  /** The parked call was told to return and has not yet. */
  #isRecalled = false;
  #wake: (() => void) | undefined;
  #isListStale = false;
  #holds = 0;
  #holdEnded: PromiseWithResolvers<void> | undefined;
  #barrenParks = 0;

  /** For one context; `nowMs` is monotonic, `turn` calls back in a later turn of the event loop. */
  constructor(
    library: Library,
    options: {
      readonly context: Pointer;
      readonly nowMs: () => number;
      readonly turn: (fire: () => void) => void;
    },
  ) {
    this.#symbols = library.symbols;
    this.#context = options.context;
    this.#nowMs = options.nowMs;
    this.#callNextTurn = options.turn;
    this.#zeroTime = library.memory.pointerTo(this.#times[0]);
    this.#napTime = library.memory.pointerTo(this.#times[1]);
    this.#pollSet = new PollSet(library, options.context);
    this.#hasTimerDescriptor =
      library.symbols.libusb_pollfds_handle_timeouts(options.context) !== 0;
  }

  /** When the completions handed out now were found, on the pump's clock. */
  foundAtMs = 0;
  /** Running and not parked: what is submitted now is looked for anyhow. */
  isAwake = false;

  /** A queue whose transfers this pump completes. */
  createQueue(): InFlightQueue {
    return new InFlightQueue(this);
  }

  /** Called by queues: a transfer was submitted that we may not know of. */
  submitted(queue: InFlightQueue): void {
    if (!queue.isActive) {
      queue.isActive = true;
      this.#active.push(queue);
    }
    if (!this.isAwake) this.#kick();
  }

  /** Keeps the pump parked and calls `listener` after each wake, until removed. */
  addWakeListener(listener: () => void): void {
    this.#wakeListeners.add(listener);
    this.#kick();
  }

  /** Takes a listener back; without any, and without transfers, nothing is parked. */
  removeWakeListener(listener: () => void): void {
    this.#wakeListeners.delete(listener);
    this.#interrupt();
  }

  /** Descriptors came or went. */
  descriptorsChanged(): void {
    this.#isListStale = true;
    this.#interrupt();
  }

  /**
   * Runs `work` while nothing is parked: a parked poll(2) would keep a
   * descriptor open that `work` closes.
   */
  async whileUnparked<T>(work: () => Promise<T>): Promise<T> {
    this.#holds++;
    this.#interrupt();
    await this.#park;
    try {
      return await work();
    } finally {
      this.#isListStale = true;
      if (--this.#holds === 0) {
        this.#holdEnded?.resolve();
        this.#holdEnded = undefined;
      }
    }
  }

  /**
   * Ends the pump. Transfers must be drained and listeners removed before.
   * SAFETY: when it is back nothing of ours uses the context.
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#interrupt();
    await this.#park;
    await this.#running;
  }

  #isNeeded(): boolean {
    return !this.#isClosed &&
      (this.#active.length > 0 || this.#wakeListeners.size > 0);
  }

  #kick(): void {
    if (!this.#isRunning) {
      this.#isRunning = true;
      this.isAwake = true;
      this.#pace.waitingSince(this.#nowMs());
      this.#running = this.#run();
    } else if (this.#wake !== undefined) {
      if (this.#isListStale) this.#interrupt();
      // Parked, but the next completion may be quicker than the way back from there.
      else if (this.#pace.gapMs < NAP_MS_MAX) {
        this.#pace.waitingSince(this.#nowMs());
        this.#wake();
      }
    }
  }

  async #run(): Promise<void> {
    await null;
    let isNapping = false;
    while (this.#isNeeded()) {
      this.#stayingSinceMs ??= this.#nowMs();
      const isMoreLikely = this.#lookOften(isNapping);
      const nowMs = this.foundAtMs;
      isNapping = false;
      if (this.#isTurnDue(nowMs)) {
        await this.#takeTurn();
        // Looking first would ask the kernel twice.
        isNapping = this.#mayNap(this.#nowMs()) && await this.#settled();
      } else if (isMoreLikely) await null;
      else if (this.#mayNap(nowMs)) isNapping = await this.#settled();
      else await this.#waitParked();
    }
    this.#isRunning = false;
    this.isAwake = false;
    this.#unparkIfIdle();
  }

  /** Gives whether there is something to nap for, when consumers had the time to submit anew. */
  async #settled(): Promise<boolean> {
    for (let tick = 0; tick < SETTLE_TICKS; tick++) await null;
    return this.#active.length > 0 &&
      !this.#isTurnDue(this.#nowMs());
  }

  /**
   * Looks, and again at once while that finds all there was and it is submitted
   * anew. Gives whether the next look is likely to find more.
   */
  #lookOften(isNapping: boolean): boolean {
    let time = isNapping ? this.#napTime : this.#zeroTime;
    for (let looks = 0; looks < BURST_LOOKS; looks++) {
      const found = this.#look(time);
      const waiting = this.#leftBehind > 0 ? this.#leftBehind : this.#pending;
      const isFull = found >= REAPED_PER_LOOK;
      this.#leftBehind = isFull ? Math.max(waiting - found, 0) : 0;
      if (found === 0) return false;
      time = this.#zeroTime;
      this.#pace.found(this.foundAtMs);
      this.#barrenParks = 0;
      // Some are still pending, so the device takes its time: looking again at once finds nothing.
      if (found < waiting && !isFull) return false;
      if (this.#left < this.#pending) return true;
      if (this.#isTurnDue(this.foundAtMs)) return true;
    }
    return true;
  }

  /** Lets libusb handle what is ready, and hands finished transfers back. */
  #look(time: Pointer): number {
    // SAFETY: the struct is ours and only read.
    this.#symbols.libusb_handle_events_timeout_completed(
      this.#context,
      time,
      null,
    );
    this.foundAtMs = this.#nowMs();
    // Handling events took the signal; the parked call may not have seen it.
    if (this.#isRecalled) this.#interrupt();
    return this.#scanAll();
  }

  #scanAll(): number {
    let found = 0;
    let pending = 0;
    let left = 0;
    for (let n = this.#active.length - 1; n >= 0; n--) {
      const queue = this.#active[n];
      if (queue === undefined) continue;
      pending += queue.length;
      found += queue.scan();
      left += queue.length;
      if (queue.length === 0) {
        queue.isActive = false;
        const last = this.#active.pop();
        if (last !== undefined && last !== queue) this.#active[n] = last;
      }
    }
    this.#pending = pending;
    this.#left = left;
    return found;
  }

  #isTurnDue(nowMs: number): boolean {
    return this.#stayingSinceMs !== undefined &&
      nowMs - this.#stayingSinceMs >= STAY_MS_MAX;
  }

  /** Resolves when the event loop has had a turn. One is asked for at a time. */
  #takeTurn(): Promise<void> {
    return this.#turn ??= new Promise((resolve) =>
      this.#callNextTurn(() => {
        this.#turn = undefined;
        this.#stayingSinceMs = undefined;
        this.#tellListeners();
        resolve();
      })
    );
  }

  #mayNap(nowMs: number): boolean {
    if (this.#active.length === 0 || !this.#pollSet.canNap) return false;
    const isSoon = this.#pace.gapMs < NAP_MS_MAX &&
      nowMs - this.#pace.waitingSinceMs < NAP_MS_MAX;
    return isSoon || this.#foresight.isNear(nowMs);
  }

  /** Waits for the parked call, for a submit that is likely to be quick, or for the end of a hold. */
  async #waitParked(): Promise<void> {
    this.isAwake = false;
    await this.#waitWoken();
    this.isAwake = true;
    // Whoever woke us did it from a turn of the event loop.
    this.#stayingSinceMs = undefined;
  }

  async #waitWoken(): Promise<void> {
    if (this.#holds > 0) {
      this.#holdEnded ??= Promise.withResolvers();
      return await this.#holdEnded.promise;
    }
    if (this.#barrenParks >= BARREN_PARKS_MAX) {
      await new Promise((resolve) => setTimeout(resolve, BARREN_PAUSE_MS));
      this.#isListStale = true;
      if (!this.#isNeeded()) return;
    }
    const waited = Promise.withResolvers<void>();
    this.#wake = waited.resolve;
    this.#park ??= this.#startPark();
    await waited.promise;
    this.#wake = undefined;
  }

  async #startPark(): Promise<void> {
    this.#refreshList();
    const startedMs = this.#nowMs();
    const parkMs = this.#parkMs();
    const foreseenMs = this.#pollSet.canNap
      ? this.#foresight.parkMs(startedMs) ?? parkMs
      : parkMs;
    const isTimed = foreseenMs < parkMs;
    const woken = await this.#pollSet.park(isTimed ? foreseenMs : parkMs);
    const nowMs = this.#nowMs();
    if (isTimed && woken === "timedOut") {
      this.#foresight.back(nowMs, startedMs + foreseenMs);
    } else if (nowMs - startedMs < BARREN_PAUSE_MS) this.#barrenParks++;
    else this.#barrenParks = 0;
    // The hop back is not the device's time: move the start of the wait by it.
    this.#pace.waitingSince(
      Math.min(this.#pace.waitingSinceMs + HOP_MS, nowMs),
    );
    if (woken === "failed") this.#isListStale = true;
    this.#stayingSinceMs = undefined;
    this.#park = undefined;
    this.#isRecalled = false;
    this.#tellListeners();
    this.#wake?.();
  }

  #parkMs(): number {
    if (this.#hasTimerDescriptor) return PARK_MS_MAX;
    const time = nativeBytes(TIMEVAL.sizeBytes);
    // SAFETY: the struct is ours; libusb writes it during the call.
    if (this.#symbols.libusb_get_next_timeout(this.#context, time) !== 1) {
      return PARK_MS_MAX;
    }
    const view = new DataView(time.buffer);
    const ms = Number(view.getBigInt64(TIMEVAL.fields.tv_sec[0], true)) * 1e3 +
      view.getUint32(TIMEVAL.fields.tv_usec[0], true) / 1e3;
    return Math.min(Math.ceil(ms), PARK_MS_MAX);
  }

  #refreshList(): void {
    if (!this.#isListStale || this.#park !== undefined) return;
    this.#isListStale = false;
    this.#pollSet.list();
  }

  #tellListeners(): void {
    for (const listener of this.#wakeListeners) listener();
  }

  /** Makes the parked call return. */
  #interrupt(): void {
    if (this.#park === undefined) return;
    this.#isRecalled = true;
    // SAFETY: may be called from anywhere at any time while the context lives.
    this.#symbols.libusb_interrupt_event_handler(this.#context);
  }

  /** A park left behind would keep the process alive; a busy program starts again before this turn is over. */
  #unparkIfIdle(): void {
    if (this.#park === undefined) return;
    this.#callNextTurn(() => {
      if (!this.#isRunning) this.#interrupt();
    });
  }
}

function napTime(): Uint8Array<ArrayBuffer> {
  const bytes = nativeBytes(TIMEVAL.sizeBytes);
  const [at] = TIMEVAL.fields.tv_usec;
  new DataView(bytes.buffer).setUint32(at, LIBUSB_NAP_US, true);
  return bytes;
}
