/**
 * The typed face of npm's `mqtt`: as much of it as is used here, in one place.
 * Imported by the bridge's own process alone.
 *
 * @module
 */

// @ts-types="./mqtt_client.d.ts"
export { connect } from "mqtt";
export type {
  Connack,
  ConnectOptions,
  IncomingMessage,
  MqttClient,
} from "./mqtt_client.d.ts";
