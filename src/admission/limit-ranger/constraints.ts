import type { Quantity } from "../../machinery/index.ts";

/** Amounts by resource name. */
export type Amounts = Readonly<Record<string, Quantity>>;

export interface Asked {
  requests: Amounts;
  limits: Amounts;
}

/*
 * What a limit range says of one resource of a pod, container or claim. Each returns why it is not kept, in upstream's
 * words; undefined when it is.
 */

export function belowMin(
  type: string,
  resource: string,
  min: Quantity,
  { requests, limits }: Asked,
): string | undefined {
  const [request, limit] = [requests[resource], limits[resource]];
  const rule = `minimum ${resource} usage per ${type} is ${min}`;
  if (!request) return `${rule}.  No request is specified`;
  if (request.compare(min) < 0) return `${rule}, but request is ${request}`;
  if (limit && limit.compare(min) < 0) return `${rule}, but limit is ${limit}`;
  return undefined;
}

export function aboveMax(
  type: string,
  resource: string,
  max: Quantity,
  { requests, limits }: Asked,
): string | undefined {
  const [request, limit] = [requests[resource], limits[resource]];
  const rule = `maximum ${resource} usage per ${type} is ${max}`;
  if (!limit) return `${rule}.  No limit is specified`;
  if (limit.compare(max) > 0) return `${rule}, but limit is ${limit}`;
  if (request && request.compare(max) > 0) return `${rule}, but request is ${request}`;
  return undefined;
}

/** For what has no limits: claims. */
export function requestAboveMax(
  type: string,
  resource: string,
  max: Quantity,
  { requests }: Asked,
): string | undefined {
  const request = requests[resource];
  const rule = `maximum ${resource} usage per ${type} is ${max}`;
  if (!request) return `${rule}.  No request is specified`;
  return request.compare(max) > 0 ? `${rule}, but request is ${request}` : undefined;
}

export function aboveRatio(
  type: string,
  resource: string,
  max: Quantity,
  { requests, limits }: Asked,
): string | undefined {
  const [request, limit] = [requests[resource], limits[resource]];
  const rule = `${resource} max limit to request ratio per ${type} is ${max}`;
  if (!request || request.sign === 0) return `${rule}, but no request is specified or request is 0`;
  if (!limit || limit.sign === 0) return `${rule}, but no limit is specified or limit is 0`;
  const ratio = limit.milliValue() / request.milliValue();
  return ratio * 1000 > max.milliValue() ? `${rule}, but provided ratio is ${ratio.toFixed(6)}` : undefined;
}
