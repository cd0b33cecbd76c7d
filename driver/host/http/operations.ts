/**
 * The interface for programs as data: every operation with its parameters and
 * answers. The OpenAPI document is made from this table, and handlers are bound
 * to it by name, so that neither can have what the other lacks.
 *
 * @module
 */

import { LOG_LEVELS } from "../log_level.ts";
import { LINES_KEPT } from "../supervisor/recent_log.ts";

/** Names of operations, which handlers bear. */
export type OperationId =
  | "getLive"
  | "getReady"
  | "getHealth"
  | "getMetrics"
  | "getStatus"
  | "listDrivers"
  | "getDriver"
  | "getDriverLog"
  | "streamEvents"
  | "runCommand"
  | "retryDriver"
  | "getOpenApi";

/** A parameter of an operation. */
export interface OperationParameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly description: string;
  readonly required?: boolean;
  /** All it may be; absent: any text. */
  readonly values?: readonly string[];
}

/** One operation. */
export interface Operation {
  readonly id: OperationId;
  readonly method: "GET" | "POST";
  /** `/drivers/{name}`. */
  readonly path: string;
  readonly summary: string;
  readonly parameters?: readonly OperationParameter[];
  /** Schema of the body. */
  readonly body?: string;
  /** Status to the name of a schema, or to a media type that is no JSON. */
  readonly answers: Readonly<Record<number, string>>;
}

const NAME: OperationParameter = {
  name: "name",
  in: "path",
  description: "Name of the driver in the configuration",
  required: true,
};

/** All of them. */
export const OPERATIONS: readonly Operation[] = [
  {
    id: "getLive",
    method: "GET",
    path: "/livez",
    summary: "Whether the supervisor's loop turns; says nothing of drivers",
    answers: { 200: "Live", 503: "Live" },
  },
  {
    id: "getReady",
    method: "GET",
    path: "/readyz",
    summary: "Whether every required driver works, with each check",
    answers: { 200: "Ready", 503: "Ready" },
  },
  {
    id: "getHealth",
    method: "GET",
    path: "/healthz",
    summary: "The same as /readyz",
    answers: { 200: "Ready", 503: "Ready" },
  },
  {
    id: "getMetrics",
    method: "GET",
    path: "/metrics",
    summary: "Prometheus text format 0.0.4",
    answers: { 200: "text/plain" },
  },
  {
    id: "getStatus",
    method: "GET",
    path: "/status",
    summary: "The supervisor and every driver",
    answers: { 200: "Status" },
  },
  {
    id: "listDrivers",
    method: "GET",
    path: "/drivers",
    summary: "Every driver, in the order of the configuration",
    answers: { 200: "Drivers" },
  },
  {
    id: "getDriver",
    method: "GET",
    path: "/drivers/{name}",
    summary: "One driver with its last values, history and commands",
    parameters: [NAME],
    answers: { 200: "DriverDetail", 404: "Error" },
  },
  {
    id: "getDriverLog",
    method: "GET",
    path: "/drivers/{name}/log",
    summary: "The last lines of a driver's log, its supervisor's among them",
    parameters: [
      NAME,
      {
        name: "level",
        in: "query",
        description: "Only lines of this level and above",
        values: LOG_LEVELS,
      },
      {
        name: "lines",
        in: "query",
        description: `At most so many, the latest: 1 to ${LINES_KEPT}`,
      },
    ],
    answers: { 200: "DriverLog", 400: "Error", 404: "Error" },
  },
  {
    id: "streamEvents",
    method: "GET",
    path: "/events",
    summary: "Server-sent events: a snapshot, what was missed, what happens",
    parameters: [
      { name: "driver", in: "query", description: "Only of this driver" },
      { name: "event", in: "query", description: "Only of this name" },
      { name: "without", in: "query", description: "All but of this name" },
      {
        name: "log",
        in: "query",
        description: "Lines of logs besides, as driver.log, from this level up",
        values: LOG_LEVELS,
      },
      {
        name: "Last-Event-ID",
        in: "header",
        description: "Number of the last event that was seen",
      },
    ],
    answers: { 200: "text/event-stream", 400: "Error", 503: "Error" },
  },
  {
    id: "runCommand",
    method: "POST",
    path: "/drivers/{name}/commands/{command}",
    summary: "Has a driver carry out a command",
    parameters: [
      NAME,
      {
        name: "command",
        in: "path",
        description: "One of the driver's commands",
        required: true,
      },
      {
        name: "Idempotency-Key",
        in: "header",
        description: "The same key within ten minutes gives the first answer",
      },
    ],
    body: "Command",
    answers: {
      200: "Result",
      400: "Error",
      404: "Error",
      409: "Error",
      413: "Error",
      422: "Error",
      502: "Error",
      503: "Error",
      504: "Error",
    },
  },
  {
    id: "retryDriver",
    method: "POST",
    path: "/drivers/{name}/retry",
    summary: "Starts a driver that failed for good, after its cause was mended",
    parameters: [NAME],
    answers: { 202: "Accepted", 404: "Error" },
  },
  {
    id: "getOpenApi",
    method: "GET",
    path: "/openapi.json",
    summary: "This document",
    answers: { 200: "OpenApi" },
  },
];
