import { isMap, isSeq, parseDocument, type YAMLMap } from "yaml";
import { writeFileAtomically } from "../base/index.ts";
import type { KeyPair } from "./certificate.ts";

export interface KubeconfigOptions {
  /** `https://127.0.0.1:6443`. */
  server: string;
  caCertificate: string;
  client: KeyPair;
  /** Of the cluster and context; a second cluster on the machine needs another. Default: `peapod`. */
  name?: string;
  /** Default: `NAME-admin`. */
  user?: string;
}

/** A kubeconfig with the certificates and key inside, so that it can be copied alone. It is a secret: mode 0600. */
export function kubeconfig({
  server,
  caCertificate,
  client,
  name = "peapod",
  user,
}: KubeconfigOptions): string {
  const base64 = (pem: string) => Buffer.from(pem).toString("base64");
  const cluster = JSON.stringify(name);
  const userName = JSON.stringify(user ?? `${name}-admin`);
  return `apiVersion: v1
kind: Config
clusters:
- name: ${cluster}
  cluster:
    server: ${JSON.stringify(server)}
    certificate-authority-data: ${base64(caCertificate)}
users:
- name: ${userName}
  user:
    client-certificate-data: ${base64(client.certificate)}
    client-key-data: ${base64(client.key)}
contexts:
- name: ${cluster}
  context:
    cluster: ${cluster}
    user: ${userName}
current-context: ${cluster}
`;
}

/** Readable by its owner only; an existing file is replaced in one step. */
export const writeKubeconfig = (path: string, text: string): Promise<void> =>
  writeFileAtomically(path, text, { mode: 0o600 });

/**
 * `existing` with the clusters, users and contexts of `added`, which replace those of the same names, and its current context.
 * Comments and everything else are kept. Throws an Error that says so when `existing` is no kubeconfig: it is a person's file.
 */
export function mergeKubeconfig(existing: string | undefined, added: string): string {
  if (existing === undefined || existing.trim() === "") return added;
  const target = parseDocument(existing);
  if (target.errors.length > 0)
    throw new Error(`the kubeconfig is not valid YAML: ${target.errors[0]!.message}`);
  if (!isMap(target.contents)) throw new Error("the file is not a kubeconfig");
  const source = parseDocument(added);
  for (const section of ["clusters", "users", "contexts"]) {
    const items = source.get(section);
    if (!isSeq(items)) continue;
    for (const item of items.items) upsert(target.contents as YAMLMap, section, item as YAMLMap, target);
  }
  target.set("current-context", source.get("current-context"));
  return target.toString({ lineWidth: 0 });
}

function upsert(
  config: YAMLMap,
  section: string,
  item: YAMLMap,
  document: ReturnType<typeof parseDocument>,
): void {
  let list: unknown = config.get(section);
  if (list === undefined || list === null) {
    list = document.createNode([]);
    config.set(section, list);
  }
  if (!isSeq(list)) throw new Error(`the kubeconfig's ${section} are not a list`);
  const name = item.get("name");
  const at = list.items.findIndex((other) => isMap(other) && other.get("name") === name);
  if (at >= 0) list.items[at] = item;
  else list.items.push(item);
  // `clusters: []` on one line would otherwise stay there.
  list.flow = false;
}
