/**
 * The resources' side of the protocol: listing, reading and subscriptions.
 *
 * Listing touches no memory. An address that names nothing is answered with the protocol's
 * "resource not found", naming the address.
 */
import { MemspoolError, reportError } from "../errors.ts";
import type { Memory } from "../memory/memory.ts";
import { clip } from "../tools/fit-answer.ts";
import {
  INVALID_PARAMS,
  ProtocolError,
  RESOURCE_NOT_FOUND,
  toProtocolError,
} from "./protocol-error.ts";
import type { RequestHandlers } from "./request-handler.ts";
import {
  type Address,
  parseAddress,
  type ResourceDefinition,
} from "./resources/define-resource.ts";
import type { Subscriptions } from "./subscriptions.ts";

const MIME_TYPE = "application/json";

export function resourceHandlers(
  resources: readonly ResourceDefinition[],
  memory: Memory,
  subscriptions: Subscriptions,
): RequestHandlers {
  const find = (params: Readonly<Record<string, unknown>>) => findOrRefuse(resources, params.uri);
  return {
    "resources/list": async () => ({
      resources: resources.flatMap((resource) =>
        resource.uri === undefined ? [] : [{ uri: resource.uri, ...describe(resource) }],
      ),
    }),
    "resources/templates/list": async () => ({
      resourceTemplates: resources.flatMap((resource) =>
        resource.uriTemplate === undefined
          ? []
          : [{ uriTemplate: resource.uriTemplate, ...describe(resource) }],
      ),
    }),
    "resources/read": async (params) => {
      const { uri, address, resource } = find(params);
      try {
        const text = JSON.stringify(await resource.read(address, memory));
        return { contents: [{ uri, mimeType: MIME_TYPE, text }] };
      } catch (error) {
        throw reportError(error).code === "NOT_FOUND" ? notFound(uri) : toProtocolError(error);
      }
    },
    "resources/subscribe": async (params) => {
      const { uri } = find(params);
      try {
        subscriptions.add(uri);
      } catch (error) {
        throw toProtocolError(error);
      }
      return {};
    },
    "resources/unsubscribe": async (params) => {
      if (typeof params.uri === "string") subscriptions.remove(params.uri);
      return {};
    },
  };
}

function describe({ name, title, description }: ResourceDefinition): Record<string, unknown> {
  return { name, title, description, mimeType: MIME_TYPE };
}

function findOrRefuse(
  resources: readonly ResourceDefinition[],
  uri: unknown,
): { uri: string; address: Address; resource: ResourceDefinition } {
  if (typeof uri !== "string") {
    const error = new MemspoolError("INVALID_ARGUMENT", "uri is required (string).");
    throw toProtocolError(error, INVALID_PARAMS);
  }
  const address = parseAddress(uri);
  const resource = address && resources.find((candidate) => candidate.matches(address));
  if (address === undefined || resource === undefined) throw notFound(uri);
  return { uri, address, resource };
}

function notFound(uri: string): ProtocolError {
  const shown = clip(uri, 256);
  return new ProtocolError(
    RESOURCE_NOT_FOUND,
    `Resource not found: ${shown}. resources/list and resources/templates/list name what is there.`,
    { uri: shown, code: "NOT_FOUND", retryable: false },
  );
}
