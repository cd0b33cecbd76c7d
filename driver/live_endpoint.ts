/**
 * An endpoint as the live settings of an open device have it.
 *
 * @module
 */

import type { DevicePort } from "./port.ts";
import type { EndpointAddress, EndpointDescriptor } from "./usb.ts";

/** Its descriptor in the live setting of its interface; `undefined` when it has none there. */
export function liveEndpoint(
  { configuration, claimed }: Pick<DevicePort, "configuration" | "claimed">,
  address: EndpointAddress,
): EndpointDescriptor | undefined {
  for (
    const { interfaceNumber, alternates } of configuration?.interfaces ?? []
  ) {
    const live = alternates.find((alternate) =>
      alternate.alternateSetting === claimed.get(interfaceNumber)
    );
    const found = live?.endpoints.find((endpoint) =>
      endpoint.endpointAddress === address
    );
    if (found !== undefined) return found;
  }
  return undefined;
}
