import { readFile } from "node:fs/promises";
import type { corev1 } from "../../api/index.ts";
import type { RegistryAuth } from "../../runtime/index.ts";
import { registryOf } from "./image-name.ts";

/** What a pull secret says for one registry (or one path of it). */
interface Entry {
  username?: string;
  password?: string;
  auth?: string;
  identitytoken?: string;
}

const base64 = (text: string) => Buffer.from(text, "base64").toString("utf8");

/** The credentials in a secret of type `kubernetes.io/dockerconfigjson` or `kubernetes.io/dockercfg`; none in others. */
export function credentialsOf(secret: corev1.Secret): RegistryAuth[] {
  const json = secret.data?.[".dockerconfigjson"];
  const legacy = secret.data?.[".dockercfg"];
  const entries: Record<string, Entry> =
    secret.type === "kubernetes.io/dockerconfigjson" && json
      ? (parse(json).auths ?? {})
      : secret.type === "kubernetes.io/dockercfg" && legacy
        ? parse(legacy)
        : {};
  return credentialsIn(entries);
}

const credentialsIn = (entries: Record<string, Entry>): RegistryAuth[] =>
  Object.entries(entries).map(([registry, entry]) => ({ registry, ...login(entry) }));

/**
 * The node's own credentials, for the pulls of any pod: a docker `config.json`. None without the file. Read at each pull:
 * it is the user's to change.
 *
 * @throws Error that names the file and says what is wrong with it
 */
export async function nodeCredentials(path: string): Promise<RegistryAuth[]> {
  try {
    const { auths = {} } = JSON.parse(await readFile(path, "utf8")) as { auths?: Record<string, Entry> };
    return credentialsIn(auths);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new Error(`${path}: ${(error as Error).message}`);
  }
}

function parse(data: string): any {
  try {
    return JSON.parse(base64(data)) ?? {};
  } catch {
    return {};
  }
}

function login({ auth, username, password, identitytoken }: Entry): Omit<RegistryAuth, "registry"> {
  const decoded = auth ? base64(auth) : "";
  const colon = decoded.indexOf(":");
  return {
    username: username ?? (colon > 0 ? decoded.slice(0, colon) : undefined),
    password: password ?? (colon > 0 ? decoded.slice(colon + 1) : undefined),
    ...(identitytoken && { identityToken: identitytoken }),
  };
}

/** Docker Hub has several names. */
const dockerHub = ["docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"];

/** Those that fit an image, the most specific first. As kubelet's docker keyring. */
export function credentialsFor(image: string, all: readonly RegistryAuth[]): RegistryAuth[] {
  const { registry, path } = registryOf(image);
  return all
    .map((auth) => ({ auth, ...split(auth.registry) }))
    .filter(({ host, prefix }) => hostFits(host, registry) && (prefix === "" || isUnder(path, prefix)))
    .sort((a, b) => b.prefix.length - a.prefix.length)
    .map(({ auth, prefix }) => ({ ...auth, registry: prefix === "" ? registry : `${registry}/${prefix}` }));
}

function split(registry: string): { host: string; prefix: string } {
  const bare = registry.replace(/^https?:\/\//, "").replace(/\/+$/, "");
  const slash = bare.indexOf("/");
  const host = slash < 0 ? bare : bare.slice(0, slash);
  const prefix = slash < 0 ? "" : bare.slice(slash + 1);
  return { host, prefix: prefix === "v1" || prefix === "v2" ? "" : prefix };
}

const isUnder = (path: string, prefix: string) => path === prefix || path.startsWith(`${prefix}/`);

/** `*` stands for one part of a host's name. */
function hostFits(pattern: string, host: string): boolean {
  if (dockerHub.includes(pattern) && dockerHub.includes(host)) return true;
  const wanted = pattern.split(".");
  const given = host.split(".");
  return wanted.length === given.length && wanted.every((part, i) => glob(part).test(given[i]!));
}

const glob = (part: string) =>
  new RegExp(`^${part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&").replaceAll("*", ".*")}$`);
