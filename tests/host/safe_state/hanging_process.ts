/** In place of the process that makes a device safe: holds the device, says nothing, never ends. */

for (;;);
