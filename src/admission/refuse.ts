import { forbidden, type StatusError } from "../machinery/index.ts";
import type { AdmissionRequest } from "./contract.ts";

/** A plugin's refusal: 403, naming the object, or for one that has no name yet what its name will begin with. */
export function refusal({ resource, name, object }: AdmissionRequest, why: string): StatusError {
  return forbidden(
    resource,
    name || object?.metadata.name || object?.metadata.generateName || "Unknown",
    why,
  );
}

/** Found in memory, or a moment later. */
export type Lookup<T> = T | undefined | Promise<T | undefined>;

/** Whether the request is for objects of this resource of the core group themselves, and not for a subresource. */
export const isCore = ({ resource, subresource }: AdmissionRequest, name: string): boolean =>
  resource.resource === name && resource.group === "" && subresource === undefined;
