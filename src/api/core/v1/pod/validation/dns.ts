import {
  dnsSubdomainLengthMax,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  fieldTooLong,
  tooLong,
} from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import {
  addInvalid,
  type FieldErrors,
  validateDnsSubdomain,
  validateIP,
} from "../../../../validation/values.ts";

/** What the C library's resolver can hold. */
const nameserversMax = 3;
const searchPathsMax = 32;
const searchListLengthMax = 2048;
const hostnameLengthMax = 64;

const searchLabel = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
const searchPattern = `${searchLabel}(\\.${searchLabel})*`;
const searchMatcher = new RegExp(`^${searchPattern}$`);

/** As a DNS subdomain, with underscores. */
function searchErrors(name: string): string[] {
  const errors = name.length <= dnsSubdomainLengthMax ? [] : [tooLong(dnsSubdomainLengthMax)];
  if (!searchMatcher.test(name))
    errors.push(
      `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${searchPattern}')`,
    );
  return errors;
}

const policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];

export function validateDnsPolicy(errors: FieldErrors, policy: string | undefined, path: string): void {
  if (!policy) errors.push(fieldRequired(path));
  else if (!policies.includes(policy)) errors.push(fieldNotSupported(path, policy, policies));
}

export function validateDnsConfig(
  errors: FieldErrors,
  { dnsConfig, dnsPolicy }: corev1.PodSpec,
  path: string,
): void {
  if (dnsPolicy === "None") {
    if (!dnsConfig) {
      errors.push(fieldRequired(path, "must provide `dnsConfig` when `dnsPolicy` is None"));
      return;
    }
    if (!dnsConfig.nameservers?.length) {
      errors.push(
        fieldRequired(
          `${path}.nameservers`,
          "must provide at least one DNS nameserver when `dnsPolicy` is None",
        ),
      );
      return;
    }
  }
  if (!dnsConfig) return;
  const { nameservers = [], searches = [], options = [] } = dnsConfig;
  if (nameservers.length > nameserversMax)
    errors.push(
      fieldInvalid(
        `${path}.nameservers`,
        nameservers,
        `must not have more than ${nameserversMax} nameservers`,
      ),
    );
  nameservers.forEach((address, i) => {
    validateIP(errors, address, `${path}.nameservers[${i}]`);
  });
  validateSearches(errors, searches, `${path}.searches`);
  options.forEach(({ name }, i) => {
    if (!name) errors.push(fieldRequired(`${path}.options[${i}]`, "must not be empty"));
  });
}

function validateSearches(errors: FieldErrors, searches: readonly string[], path: string): void {
  if (searches.length > searchPathsMax)
    errors.push(fieldInvalid(path, searches, `must not have more than ${searchPathsMax} search paths`));
  if (searches.join(" ").length > searchListLengthMax)
    errors.push(
      fieldInvalid(
        path,
        searches,
        `must not have more than ${searchListLengthMax} characters (including spaces) in the search list`,
      ),
    );
  searches.forEach((search, i) => {
    if (search === ".") return;
    const name = search.replace(/\.$/, "");
    addInvalid(errors, name, searchErrors(name), `${path}[${i}]`);
  });
}

export function validateHostAliases(
  errors: FieldErrors,
  aliases: readonly corev1.HostAlias[] | undefined,
  path: string,
): void {
  aliases?.forEach(({ ip = "", hostnames }, i) => {
    validateIP(errors, ip, `${path}[${i}].ip`);
    hostnames?.forEach((hostname, h) => {
      validateDnsSubdomain(errors, hostname, `${path}[${i}].hostnames[${h}]`);
    });
  });
}

export function validateHostnameOverride(errors: FieldErrors, spec: corev1.PodSpec, path: string): void {
  const { hostnameOverride } = spec;
  if (hostnameOverride === undefined) return;
  if (spec.setHostnameAsFQDN)
    errors.push(fieldForbidden(path, "may not be specified when setHostnameAsFQDN is true"));
  if (spec.hostNetwork) errors.push(fieldForbidden(path, "may not be specified when hostNetwork is true"));
  if (hostnameOverride.length > hostnameLengthMax) errors.push(fieldTooLong(path, hostnameLengthMax));
  validateDnsSubdomain(errors, hostnameOverride, path);
}
