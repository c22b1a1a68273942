import { isIPv4, isIPv6 } from "node:net";
import {
  type FieldError,
  fieldInvalid,
  fieldTooLong,
  isDnsLabel,
  isDnsSubdomain,
  isPercent,
  isQualifiedName,
} from "../../machinery/index.ts";

/*
 * Checks of single values. Every validator of this room takes the list it adds to first and the path of the value
 * last; it returns nothing and never stops at the first error.
 */

export type FieldErrors = FieldError[];

/** Adds one error for each message about `value`. */
export function addInvalid(
  errors: FieldErrors,
  value: unknown,
  messages: readonly string[],
  path: string,
): void {
  for (const message of messages) errors.push(fieldInvalid(path, value, message));
}

export const validateDnsLabel = (errors: FieldErrors, value: string, path: string) =>
  addInvalid(errors, value, isDnsLabel(value), path);

export const validateDnsSubdomain = (errors: FieldErrors, value: string, path: string) =>
  addInvalid(errors, value, isDnsSubdomain(value), path);

export const validateQualifiedName = (errors: FieldErrors, value: string, path: string) =>
  addInvalid(errors, value, isQualifiedName(value), path);

export function validateNonNegative(errors: FieldErrors, value: number | undefined, path: string): void {
  if (value !== undefined && value < 0)
    errors.push(fieldInvalid(path, value, "must be greater than or equal to 0"));
}

export function validatePositive(errors: FieldErrors, value: number | undefined, path: string): void {
  if (!value || value < 0) errors.push(fieldInvalid(path, value ?? 0, "must be greater than zero"));
}

/** An unset value equals the empty one, as in Go. */
export function validateImmutable(errors: FieldErrors, value: unknown, old: unknown, path: string): void {
  if (!semanticallyEqual(value, old)) errors.push(fieldInvalid(path, value, "field is immutable"));
}

/** `5` or `25%`, not negative. */
export function validateCountOrPercent(
  errors: FieldErrors,
  value: number | string | undefined,
  path: string,
): void {
  if (typeof value === "string") addInvalid(errors, value, isPercent(value), path);
  else validateNonNegative(errors, value, path);
}

const leadingZero = /(^|\.)0[0-9]/;
const mappedIPv4 = /^[0:]*:ffff:([0-9.]+|[0-9a-f]{1,4}:[0-9a-f]{1,4})$/i;

/** The address without octets' leading zeros, which old Kubernetes took for decimal. */
const withoutLeadingZeros = (address: string) => address.replace(/(^|\.)0+(?=[0-9])/g, "$1");

/** An address as the strict rule of v1.36 has it; `oldAddresses` may stay whatever they are. */
export function validateIP(
  errors: FieldErrors,
  address: string,
  path: string,
  oldAddresses: readonly string[] = [],
): void {
  if (isIPv4(address) || oldAddresses.includes(address)) return;
  if (isIPv6(address) && !address.includes("%")) {
    if (mappedIPv4.test(address))
      errors.push(fieldInvalid(path, address, "must not be an IPv4-mapped IPv6 address"));
    return;
  }
  if (leadingZero.test(address) && isIPv4(withoutLeadingZeros(address)))
    errors.push(fieldInvalid(path, address, "must not have leading 0s"));
  else
    errors.push(fieldInvalid(path, address, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"));
}

/** What to warn of an address that is valid but written unusually. */
export function addressWarnings(address: string, path: string): string[] {
  if (!isIPv6(address) || mappedIPv4.test(address)) return [];
  // WHATWG URLs write IPv6 addresses as RFC 5952 does.
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  return canonical === address
    ? []
    : [`${path}: IPv6 address "${address}" should be in RFC 5952 canonical format ("${canonical}")`];
}

/** At most one address of each family, two in all. */
export const isDualStack = (addresses: readonly string[]) =>
  addresses.length === 2 && isIPv4(addresses[0]!) !== isIPv4(addresses[1]!);

/** `10.0.0.0/24`, without bits beyond the prefix. */
export function validateCIDR(errors: FieldErrors, cidr: string, path: string): void {
  const slash = cidr.indexOf("/");
  const address = cidr.slice(0, slash);
  const length = cidr.slice(slash + 1);
  const bits = isIPv4(address) ? 32 : isIPv6(address) ? 128 : 0;
  if (slash < 0 || bits === 0 || !/^[0-9]{1,3}$/.test(length) || Number(length) > bits) {
    errors.push(fieldInvalid(path, cidr, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"));
  } else if (length.length > 1 && length.startsWith("0")) {
    errors.push(fieldInvalid(path, cidr, "must not have leading 0s in IP or prefix length"));
  } else if (bits === 32) {
    const value = address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
    if (value % 2 ** (32 - Number(length)) !== 0)
      errors.push(fieldInvalid(path, cidr, "must not have bits set beyond the prefix length"));
  }
}

export function validateTotalBytes(errors: FieldErrors, bytes: number, bytesMax: number, path: string): void {
  if (bytes > bytesMax) errors.push(fieldTooLong(path, bytesMax));
}

const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === "" ||
  value === 0 ||
  value === false ||
  (typeof value === "object" && Object.keys(value).length === 0);

/**
 * Whether two values mean the same: a field that is not there equals an empty one. As `equality.Semantic.DeepEqual`;
 * quantities and times are canonical by the time they are compared.
 */
export function semanticallyEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null)
    return isEmpty(a) && isEmpty(b);
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  if (Array.isArray(a)) {
    const other = b as unknown[];
    return a.length === other.length && a.every((item, i) => semanticallyEqual(item, other[i]));
  }
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  for (const key in left) if (!semanticallyEqual(left[key], right[key])) return false;
  for (const key in right) if (!(key in left) && !isEmpty(right[key])) return false;
  return true;
}
