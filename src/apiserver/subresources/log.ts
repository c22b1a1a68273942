import { Readable } from "node:stream";
import type { PodLogOptions } from "../../client/index.ts";
import {
  badRequest,
  type FieldError,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  invalid,
  parseTime,
} from "../../machinery/index.ts";
import { type Call, type Caller, type Outcome, parameter, type Query, type Serving } from "../context.ts";
import { containerOf, podOf } from "./pod-container.ts";
import { namedBy, type Subresource } from "./subresource.ts";

/** A container's log, read from its node. Counterpart upstream: `pkg/registry/core/pod/rest.LogREST`. */
export const log: Subresource = {
  name: "log",
  servedFor: namedBy("log"),
  verbs: { get: readLog },
};

async function readLog(serving: Serving, caller: Caller, call: Call): Promise<Outcome> {
  const options = logOptionsOf(call.query);
  const pod = await podOf(call);
  const target = containerOf(pod, parameter(call.query, "container"));
  const nodeName: string | undefined = pod.spec.nodeName;
  // A pod without a node has said nothing yet.
  if (!nodeName) return { is: "stream", mediaType: "text/plain", stream: Readable.from([]) };
  const node = await serving.nodes.connect(nodeName);
  const signal = caller.signal ?? new AbortController().signal;
  return { is: "stream", mediaType: "text/plain", stream: await node.containerLogs(target, options, signal) };
}

/** As `core/validation.ValidatePodLogOptions`. */
function logOptionsOf(query: Query | undefined): PodLogOptions {
  const errors: FieldError[] = [];
  const sinceSeconds = integerOf(query, "sinceSeconds");
  const tailLines = integerOf(query, "tailLines");
  const limitBytes = integerOf(query, "limitBytes");
  const sinceTime = parameter(query, "sinceTime");
  const stream = parameter(query, "stream");
  if (sinceTime !== undefined && parseTime(sinceTime) === undefined) {
    throw badRequest(`sinceTime: ${JSON.stringify(sinceTime)} is not a time in RFC 3339`);
  }
  if (tailLines !== undefined && tailLines < 0) {
    errors.push(fieldInvalid("tailLines", tailLines, "must be greater than or equal to 0"));
  }
  if (limitBytes !== undefined && limitBytes < 1) {
    errors.push(fieldInvalid("limitBytes", limitBytes, "must be greater than 0"));
  }
  if (sinceSeconds !== undefined && sinceTime !== undefined) {
    errors.push(fieldForbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified"));
  } else if (sinceSeconds !== undefined && sinceSeconds < 1) {
    errors.push(fieldInvalid("sinceSeconds", sinceSeconds, "must be greater than 0"));
  }
  if (stream !== undefined && stream !== "All" && stream !== "Stdout" && stream !== "Stderr") {
    errors.push(fieldNotSupported("stream", stream, ["All", "Stderr", "Stdout"]));
  }
  if (errors.length > 0) throw invalid({ group: "", kind: "PodLogOptions" }, "", errors);
  return {
    follow: flagOf(query, "follow"),
    previous: flagOf(query, "previous"),
    timestamps: flagOf(query, "timestamps"),
    ...(sinceSeconds !== undefined && { sinceSeconds }),
    ...(sinceTime !== undefined && { sinceTime }),
    ...(tailLines !== undefined && { tailLines }),
    ...(limitBytes !== undefined && { limitBytes }),
    ...(stream !== undefined && { stream: stream as "All" | "Stdout" | "Stderr" }),
  };
}

/** As `conversion.Convert_Slice_string_To_bool`: anything but `false` and `0` is true. */
export function flagOf(query: Query | undefined, name: string): boolean {
  const value = parameter(query, name);
  return value !== undefined && value !== "" && value !== "0" && value.toLowerCase() !== "false";
}

function integerOf(query: Query | undefined, name: string): number | undefined {
  const text = parameter(query, name);
  if (text === undefined || text === "") return undefined;
  const value = /^[-+]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw badRequest(`${name}: ${JSON.stringify(text)} is not an integer`);
  return value;
}
