import { once } from "node:events";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { builtinKinds, builtinSchemas, type Kind } from "../../../src/api/index.ts";
import { SeededRandom } from "../../../src/base/index.ts";
import { Chooser, isRecord, mutated } from "./mutate.ts";
import { seeds } from "./seeds.ts";
import { type SimulatedCluster, startSimulatedCluster } from "./simulated-cluster.ts";

/** How many of the objects that were made are remembered, to be changed. */
const rememberedMax = 60;
/** Where nothing of the storm is. */
const quietNamespace = "quiet";
const quietMsMax = 20_000;
const ownNode = { matchFields: [{ key: "metadata.name", operator: "In", values: ["node-1"] }] };

export interface StormResult {
  requests: number;
  /** How many objects were accepted as new. */
  created: number;
  /** Answers that say the server did not expect something, and what its parts logged as errors. */
  findings: string[];
}

interface Made {
  kind: Kind;
  path: string;
}

/**
 * Sends `requests` requests, chosen by `seed`, most of them wrong in one to three places, to a whole cluster; then looks
 * whether it still runs a plain pod. An exception that nobody catches ends the process, as it would end a cluster.
 */
export async function storm({ seed, requests }: { seed: number; requests: number }): Promise<StormResult> {
  const random = new SeededRandom(seed);
  const cluster = await startSimulatedCluster(random);
  try {
    const run = new Storm(cluster, new Chooser(random));
    await run.prepare();
    for (let i = 0; i < requests; i += 4) await Promise.all([run.step(), run.step(), run.step(), run.step()]);
    await run.checkQuiet();
    return { requests, created: run.created, findings: [...run.findings, ...cluster.errors] };
  } finally {
    await cluster.close();
  }
}

class Storm {
  created = 0;
  readonly findings: string[] = [];
  readonly #cluster: SimulatedCluster;
  readonly #choose: Chooser;
  readonly #agent: Agent;
  #made: Made[] = [];
  #serial = 0;

  constructor(cluster: SimulatedCluster, choose: Chooser) {
    this.#cluster = cluster;
    this.#choose = choose;
    this.#agent = new Agent({ keepAlive: true, ...cluster.tls });
  }

  async prepare(): Promise<void> {
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: quietNamespace } };
    await this.#send("POST", "/api/v1/namespaces", namespace);
  }

  step(): Promise<void> {
    const made = this.#made.length > 0 ? this.#choose.one(this.#made) : undefined;
    if (!made || this.#choose.chance(0.5)) return this.#create();
    const change = this.#choose.one([
      this.#replace,
      this.#patch,
      this.#patch,
      this.#delete,
      this.#ask,
      this.#subresource,
    ]);
    return change.call(this, made);
  }

  async #create(): Promise<void> {
    const seed = this.#choose.one(this.#choose.one(seeds));
    const kind = kindOf(seed.apiVersion, seed.kind);
    const named = { ...seed, metadata: { name: `fuzz-${this.#serial++}`, ...seed.metadata } };
    const object = this.#tamed(mutated(named, builtinSchemas.type(kind.schema), this.#choose));
    const answer = await this.#send("POST", collectionOf(kind), object);
    if (answer.code !== 201) return;
    this.created++;
    const { name } = answer.json.metadata;
    this.#made.push({ kind, path: `${collectionOf(kind)}/${name}` });
    if (this.#made.length > rememberedMax) this.#made.splice(this.#choose.below(rememberedMax), 1);
  }

  async #replace({ kind, path }: Made): Promise<void> {
    const { code, json } = await this.#send("GET", path);
    if (code !== 200) return;
    const on = kind.hasStatus && this.#choose.chance(0.4) ? `${path}/status` : path;
    await this.#send("PUT", on, this.#tamed(mutated(json, builtinSchemas.type(kind.schema), this.#choose)));
  }

  async #patch({ kind, path }: Made): Promise<void> {
    const { code, json } = await this.#send("GET", path);
    if (code !== 200) return;
    const changed = this.#tamed(mutated(json, builtinSchemas.type(kind.schema), this.#choose));
    const on = kind.hasStatus && this.#choose.chance(0.3) ? `${path}/status` : path;
    const field = this.#choose.one(Object.keys(changed));
    const [type, body, query] = this.#choose.one<[string, unknown, string]>([
      ["merge-patch", { [field]: changed[field] }, ""],
      ["strategic-merge-patch", { [field]: changed[field] }, ""],
      ["strategic-merge-patch", { spec: { $setElementOrder: changed.spec, $retainKeys: ["a"] } }, ""],
      ["json-patch", [{ op: "replace", path: `/${field}`, value: changed[field] }], ""],
      ["json-patch", [{ op: "move", from: `/${field}`, path: "/metadata/labels" }], ""],
      [
        "apply-patch",
        { ...changed, metadata: { name: changed.metadata?.name } },
        "?fieldManager=fuzz&force=true",
      ],
    ]);
    const suffix = type === "apply-patch" ? "yaml" : "json";
    await this.#send("PATCH", on + query, body, `application/${type}+${suffix}`);
  }

  async #delete({ path }: Made): Promise<void> {
    const options = {
      gracePeriodSeconds: 0,
      propagationPolicy: "Background",
      preconditions: { uid: "u" },
      dryRun: ["All"],
    };
    const body = this.#choose.chance(0.5)
      ? mutated(options, builtinSchemas.type("meta/v1.DeleteOptions"), this.#choose)
      : undefined;
    await this.#send("DELETE", path, body);
  }

  async #ask({ kind, path }: Made): Promise<void> {
    const collection = collectionOf(kind);
    const selector = encodeURIComponent(
      this.#choose.one(["a in (b", "a=b,!c", "x>1", "==", "a notin (,)", "\u0000"]),
    );
    await this.#send(
      "GET",
      this.#choose.one([
        `${collection}?labelSelector=${selector}`,
        `${collection}?fieldSelector=${selector}`,
        `${collection}?limit=1&continue=${selector}`,
        `${collection}?resourceVersion=${this.#choose.one(["-1", "0", "1", "99999999999", "a"])}&resourceVersionMatch=Exact`,
        `${path}?pretty=${selector}`,
        `${path}/log?tailLines=-1&container=${selector}`,
      ]),
      undefined,
      undefined,
      this.#choose.one([
        "application/json",
        "application/json;as=Table;g=meta.k8s.io;v=v1",
        "application/yaml",
        "*/*",
      ]),
    );
  }

  async #subresource({ kind, path }: Made): Promise<void> {
    if (kind.kind !== "Pod") return this.#ask({ kind, path });
    const name = path.split("/").at(-1);
    const [subresource, body] = this.#choose.one<[string, any]>([
      ["eviction", { apiVersion: "policy/v1", kind: "Eviction", metadata: { name }, deleteOptions: {} }],
      [
        "binding",
        { apiVersion: "v1", kind: "Binding", metadata: { name }, target: { kind: "Node", name: "node-1" } },
      ],
    ]);
    const schema = builtinSchemas.type(subresource === "eviction" ? "policy/v1.Eviction" : "core/v1.Binding");
    await this.#send("POST", `${path}/${subresource}`, mutated(body, schema, this.#choose));
  }

  /** What is wrong may be as wrong as it is, but leads to no other host, out of no folder, and to no million of pods. */
  #tamed<T>(value: T): T {
    if (Array.isArray(value)) for (const item of value) this.#tamed(item);
    else if (isRecord(value)) {
      for (const [name, inner] of Object.entries(value)) {
        if ((name === "httpGet" || name === "tcpSocket") && isRecord(inner)) inner.host = "127.0.0.1";
        if ((name === "hostPath" || name === "local") && isRecord(inner))
          inner.path = join(this.#cluster.dir, "host", String(this.#choose.below(3)));
        if (name === "replicas" && typeof inner === "number")
          Object.assign(value, { replicas: Math.min(inner, 3) });
        this.#tamed(inner);
      }
    }
    return value;
  }

  /** Through all that has happened, a plain pod comes up and goes again. */
  async checkQuiet(): Promise<void> {
    const pods = `/api/v1/namespaces/${quietNamespace}/pods`;
    const plain = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "plain" },
      spec: {
        containers: [{ name: "main", image: "busybox" }],
        tolerations: [{ operator: "Exists" }],
        priorityClassName: "system-node-critical",
        affinity: {
          nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [ownNode] } },
        },
      },
    };
    const untilCode = async (what: string, isSo: () => Promise<boolean>) => {
      const endMs = performance.now() + quietMsMax;
      while (!(await isSo())) {
        if (performance.now() > endMs) {
          const { json } = await this.#send("GET", `${pods}/plain`);
          this.findings.push(`after the storm, a plain pod is not ${what}: ${JSON.stringify(json)}`);
          return;
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await untilCode("accepted", async () => (await this.#send("POST", pods, plain)).code === 201);
    await untilCode("started", async () => {
      const { json } = await this.#send("GET", `${pods}/plain`);
      return json.status.containerStatuses?.[0]?.containerID !== undefined;
    });
    await this.#send("DELETE", `${pods}/plain?gracePeriodSeconds=1`);
    await untilCode("gone", async () => (await this.#send("GET", `${pods}/plain`)).code === 404);
    this.#agent.destroy();
  }

  async #send(
    method: string,
    path: string,
    body?: unknown,
    contentType = "application/json",
    accept = "application/json",
  ): Promise<{ code: number; json: any }> {
    const call = request(new URL(path, this.#cluster.url), {
      method,
      agent: this.#agent,
      headers: { accept, ...(body !== undefined && { "content-type": contentType }) },
    });
    call.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = await once(call, "response");
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const code: number = response.statusCode;
    const isJson = String(response.headers["content-type"]).startsWith("application/json");
    const json = isJson ? JSON.parse(text) : undefined;
    // A Status of 500 or more that has its reason, or its own words, was meant.
    if (code >= 500 && (json?.kind !== "Status" || json.reason === "InternalError"))
      this.findings.push(`${method} ${path} ${JSON.stringify(body)}: ${code} ${text.slice(0, 500)}`);
    return { code, json };
  }
}

function kindOf(apiVersion: string, name: string): Kind {
  const kind = builtinKinds.find(
    ({ group, version, kind }) => kind === name && apiVersion === (group ? `${group}/${version}` : version),
  );
  if (!kind) throw new Error(`no kind ${apiVersion} ${name}`);
  return kind;
}

function collectionOf({ group, version, resource, scope }: Kind): string {
  const root = group ? `/apis/${group}/${version}` : `/api/${version}`;
  return `${root}${scope === "Namespaced" ? "/namespaces/default" : ""}/${resource}`;
}
