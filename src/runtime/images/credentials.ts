import type { RegistryAuth } from "../contract.ts";
import type { ImageReference } from "./reference.ts";
import type { Endpoint, RegistriesConfig, RegistryConfigAuth } from "./registries.ts";

/** What is shown to a registry or to the server that gives out its tokens; without any field, nothing is. */
export interface Credential {
  username?: string;
  password?: string;
  identityToken?: string;
}

export const anonymous: Credential = {};

/**
 * What to try at an endpoint, best first: the pull secrets whose registry matches the image, the longest match first,
 * then what the registries' file has for the host; nobody's, where there is neither. A pull secret never goes to
 * a mirror that it was not made for.
 *
 * Counterpart: kubelet's `credentialprovider.BasicDockerKeyring.Lookup`.
 */
export function credentialsFor(
  reference: ImageReference,
  endpoint: Endpoint,
  secrets: readonly RegistryAuth[],
  config: RegistriesConfig,
): Credential[] {
  const isMirror = endpoint.namespace !== undefined;
  const host = isMirror ? endpoint.base.host : reference.domain;
  const found: Credential[] = matching(secrets, host, endpoint.path).map(
    ({ username, password, identityToken }) => ({ username, password, identityToken }),
  );
  const own = config.configs[endpoint.base.host]?.auth ?? (isMirror ? undefined : config.configs[host]?.auth);
  if (own) found.push(fromConfig(own));
  return found.length > 0 ? found : [anonymous];
}

/** The pull secrets that cover an image at its own registry, the longest match first. */
export function secretsFor(
  reference: Pick<ImageReference, "domain" | "path">,
  secrets: readonly RegistryAuth[],
): RegistryAuth[] {
  return matching(secrets, reference.domain, reference.path);
}

function matching(secrets: readonly RegistryAuth[], host: string, path: string): RegistryAuth[] {
  return secrets
    .filter((secret) => secretMatches(secret.registry, host, path))
    .sort((a, b) => bareRegistry(b.registry).length - bareRegistry(a.registry).length);
}

function fromConfig(auth: RegistryConfigAuth): Credential {
  if (auth.identity_token !== undefined) return { identityToken: auth.identity_token };
  if (auth.auth === undefined) return { username: auth.username, password: auth.password };
  const text = Buffer.from(auth.auth, "base64").toString();
  const colon = text.indexOf(":");
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

function bareRegistry(registry: string): string {
  return registry.replace(/^https?:\/\//, "").replace(/\/+$/, "");
}

const hubNames = new Set(["docker.io", "index.docker.io", "registry-1.docker.io"]);

/** Whether a secret's `registry` (a host, perhaps with `*` in its labels, a port, a path) covers a repository there. */
function secretMatches(registry: string, host: string, path: string): boolean {
  const bare = bareRegistry(registry);
  const slash = bare.indexOf("/");
  const secretHost = slash < 0 ? bare : bare.slice(0, slash);
  // Docker's own files name the hub by its API: https://index.docker.io/v1/.
  const secretPath = slash < 0 ? "" : bare.slice(slash + 1).replace(/^v[12](\/|$)/, "");
  if (secretPath !== "" && path !== secretPath && !path.startsWith(`${secretPath}/`)) return false;
  if (hubNames.has(host)) return hubNames.has(secretHost);
  return hostMatches(secretHost, host);
}

function hostMatches(pattern: string, host: string): boolean {
  const [patternName = "", patternPort = ""] = pattern.split(/:(?=\d+$)/);
  const [name = "", port = ""] = host.split(/:(?=\d+$)/);
  if (patternPort !== port) return false;
  const patternLabels = patternName.split(".");
  const labels = name.split(".");
  if (patternLabels.length !== labels.length) return false;
  return patternLabels.every((label, i) => {
    const expression = label.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
    return new RegExp(`^${expression}$`).test(labels[i]!);
  });
}
