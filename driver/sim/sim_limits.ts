/**
 * Bounds of the simulation, with their reasons. Devices and clients are
 * untrusted here too: a test may be hostile on purpose.
 *
 * @module
 */

/** A queue that holds this much takes no more: a few of the largest transfers drivers make. */
export const MAX_QUEUED_BYTES = 4 * 1024 * 1024;
/** Zero-length data cost memory as well: entries of one queue, as many as a full mailbox has reports. */
export const MAX_QUEUED_CHUNKS = 1024;
/** Default of Linux's `usbcore.usbfs_memory_mb`: transfers in flight of all clients together. */
export const USBFS_MEMORY_BYTES = 16 * 1024 * 1024;
/** What Linux charges a transfer besides its buffer: `struct async` and `struct urb`, about. */
export const URB_OVERHEAD_BYTES = 320;
/** Bytes of one isochronous packet; more than the largest burst of SuperSpeedPlus. Linux, devio.c. */
export const MAX_ISOCHRONOUS_PACKET_BYTES = 98_304;
/** Frames between now and the first packet of a stream that begins; what EHCI keeps free, about. */
export const ISOCHRONOUS_SLACK_FRAMES = 8;
/** Clients rarely have more than a few files open; bounds a client that leaks. */
export const MAX_OPEN_FILES = 1024;
/** Device numbers of a bus are 1 to 127. USB 2.0, 9.4.6. */
export const MAX_DEVICE_ADDRESS = 127;
/** A root hub's ports; `bNbrPorts` is a byte, and more devices than this need another bus. */
export const MAX_PORTS = 127;
/** Fault rules of one device; more are a mistake of the test. */
export const MAX_FAULT_RULES = 256;
