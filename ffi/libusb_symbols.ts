/**
 * What we bind: libusb's functions and, through the same handle, the few of
 * libc that stand in for pointer APIs and for waiting. One table serves all
 * versions; what a version lacks is `null`.
 *
 * Pointers are opaque objects (`pointer`), which is the fastest way to pass
 * them (7 ns a call; a `buffer` takes 18 to 30, a number as `usize` 200) and
 * needs no permission beyond that for the library. Out-parameters are `buffer`
 * where speed does not matter.
 *
 * @module
 */

/** Symbols of libusb 1.0.23 and later, and of the libc it is linked to. */
export const LIBUSB_SYMBOLS = {
  libusb_get_version: { parameters: [], result: "pointer" },
  libusb_set_option: { parameters: ["pointer", "i32"], result: "i32" },
  libusb_init: { parameters: ["buffer"], result: "i32", nonblocking: true },
  // On the thread: the runtime cannot tell that a nonblocking symbol is absent.
  libusb_init_context: {
    parameters: ["buffer", "buffer", "i32"],
    result: "i32",
    optional: true,
  },
  libusb_exit: { parameters: ["pointer"], result: "void", nonblocking: true },

  libusb_get_device_list: {
    parameters: ["pointer", "buffer"],
    result: "isize",
  },
  libusb_free_device_list: { parameters: ["pointer", "i32"], result: "void" },
  libusb_ref_device: { parameters: ["pointer"], result: "pointer" },
  libusb_unref_device: { parameters: ["pointer"], result: "void" },
  libusb_get_bus_number: { parameters: ["pointer"], result: "u8" },
  libusb_get_device_address: { parameters: ["pointer"], result: "u8" },
  libusb_get_port_numbers: {
    parameters: ["pointer", "buffer", "i32"],
    result: "i32",
  },
  libusb_get_device_speed: { parameters: ["pointer"], result: "i32" },
  libusb_get_device_descriptor: {
    parameters: ["pointer", "buffer"],
    result: "i32",
  },
  libusb_get_config_descriptor: {
    parameters: ["pointer", "u8", "buffer"],
    result: "i32",
  },
  libusb_get_active_config_descriptor: {
    parameters: ["pointer", "buffer"],
    result: "i32",
  },
  libusb_free_config_descriptor: { parameters: ["pointer"], result: "void" },

  // These talk to the device or wait for locks of the kernel: off the thread.
  libusb_open: {
    parameters: ["pointer", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  libusb_wrap_sys_device: {
    parameters: ["pointer", "isize", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  libusb_close: { parameters: ["pointer"], result: "void", nonblocking: true },
  libusb_get_device: { parameters: ["pointer"], result: "pointer" },
  libusb_get_configuration: {
    parameters: ["pointer", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  libusb_set_configuration: {
    parameters: ["pointer", "i32"],
    result: "i32",
    nonblocking: true,
  },
  libusb_claim_interface: {
    parameters: ["pointer", "i32"],
    result: "i32",
    nonblocking: true,
  },
  libusb_release_interface: {
    parameters: ["pointer", "i32"],
    result: "i32",
    nonblocking: true,
  },
  libusb_set_interface_alt_setting: {
    parameters: ["pointer", "i32", "i32"],
    result: "i32",
    nonblocking: true,
  },
  libusb_clear_halt: {
    parameters: ["pointer", "u8"],
    result: "i32",
    nonblocking: true,
  },
  libusb_reset_device: {
    parameters: ["pointer"],
    result: "i32",
    nonblocking: true,
  },
  libusb_kernel_driver_active: {
    parameters: ["pointer", "i32"],
    result: "i32",
    nonblocking: true,
  },
  libusb_detach_kernel_driver: {
    parameters: ["pointer", "i32"],
    result: "i32",
    nonblocking: true,
  },
  libusb_attach_kernel_driver: {
    parameters: ["pointer", "i32"],
    result: "i32",
    nonblocking: true,
  },
  libusb_set_auto_detach_kernel_driver: {
    parameters: ["pointer", "i32"],
    result: "i32",
  },

  libusb_alloc_transfer: { parameters: ["i32"], result: "pointer" },
  libusb_free_transfer: { parameters: ["pointer"], result: "void" },
  libusb_submit_transfer: { parameters: ["pointer"], result: "i32" },
  libusb_cancel_transfer: { parameters: ["pointer"], result: "i32" },
  cancelParked: {
    name: "libusb_cancel_transfer",
    parameters: ["pointer"],
    result: "i32",
    nonblocking: true,
  },

  libusb_handle_events_timeout_completed: {
    parameters: ["pointer", "pointer", "pointer"],
    result: "i32",
  },
  libusb_interrupt_event_handler: { parameters: ["pointer"], result: "void" },
  libusb_get_pollfds: { parameters: ["pointer"], result: "pointer" },
  libusb_free_pollfds: { parameters: ["pointer"], result: "void" },
  libusb_pollfds_handle_timeouts: { parameters: ["pointer"], result: "i32" },
  libusb_get_next_timeout: {
    parameters: ["pointer", "buffer"],
    result: "i32",
  },

  // memcpy returns its destination: with a length of 0 it turns buffers into
  // addresses and addresses into pointers.
  copyOut: {
    name: "memcpy",
    parameters: ["buffer", "pointer", "usize"],
    result: "void",
  },
  copyIn: {
    name: "memcpy",
    parameters: ["pointer", "buffer", "usize"],
    result: "void",
  },
  copyNative: {
    name: "memcpy",
    parameters: ["pointer", "pointer", "i32"],
    result: "void",
  },
  fillNative: {
    name: "memset",
    parameters: ["pointer", "i32", "i32"],
    result: "void",
  },
  addressOfBuffer: {
    name: "memcpy",
    parameters: ["buffer", "buffer", "usize"],
    result: "usize",
  },
  addressOfPointer: {
    name: "memcpy",
    parameters: ["pointer", "buffer", "usize"],
    result: "usize",
  },
  pointerAt: {
    name: "memcpy",
    parameters: ["usize", "buffer", "usize"],
    result: "pointer",
  },
  strlen: { parameters: ["pointer"], result: "usize" },

  pollParked: {
    name: "poll",
    parameters: ["buffer", "usize", "i32"],
    result: "i32",
    nonblocking: true,
  },
  ppoll: {
    parameters: ["pointer", "i32", "pointer", "pointer"],
    result: "i32",
    optional: true,
  },
  // Only where `ppoll` is not `null`, see `libusb_init_context`.
  ppollParked: {
    name: "ppoll",
    parameters: ["buffer", "usize", "buffer", "pointer"],
    result: "i32",
    nonblocking: true,
    optional: true,
  },
  // Keeps the library loaded. Where libc has it: glibc since 2.34, musl, macOS.
  dlopen: {
    parameters: ["buffer", "i32"],
    result: "pointer",
    optional: true,
  },
  clock_gettime: {
    parameters: ["i32", "pointer"],
    result: "i32",
    optional: true,
  },
  pthread_mutex_init: { parameters: ["pointer", "pointer"], result: "i32" },
  open: { parameters: ["buffer", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  close: { parameters: ["i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** What transfers call each time, so that a trampoline is worth its compilation. */
export const LIBUSB_HOT_SYMBOLS: ReadonlySet<keyof typeof LIBUSB_SYMBOLS> =
  new Set([
    "libusb_submit_transfer",
    "libusb_cancel_transfer",
    "libusb_handle_events_timeout_completed",
    "libusb_interrupt_event_handler",
    "copyIn",
    "copyNative",
    "fillNative",
    "ppoll",
    "clock_gettime",
  ]);

/** The bound functions. */
export type LibusbSymbols = Deno.DynamicLibrary<
  typeof LIBUSB_SYMBOLS
>["symbols"];
