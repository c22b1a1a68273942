import { request } from "node:https";
import type { TestCluster } from "./cluster.ts";

export interface Answer {
  code: number;
  headers: Record<string, string | string[] | undefined>;
  bytes: Buffer;
  text: string;
  /** Parsed, when it is JSON. */
  json: any;
}

export interface Asked {
  body?: unknown;
  headers?: Record<string, string>;
  /** `anonymous`: without the administrator's certificate. */
  as?: "admin" | "anonymous";
}

/** A plain HTTPS client for tests: what goes over the wire is what the test says. */
export class TestClient {
  readonly #cluster: TestCluster;

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
  }

  get(path: string, headers?: Record<string, string>): Promise<Answer> {
    return this.send("GET", path, { ...(headers && { headers }) });
  }

  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer> {
    return this.send("POST", path, { body, ...(headers && { headers }) });
  }

  put(path: string, body: unknown): Promise<Answer> {
    return this.send("PUT", path, { body });
  }

  patch(path: string, type: "json" | "merge" | "strategic" | "apply", body: unknown): Promise<Answer> {
    const types = {
      json: "application/json-patch+json",
      merge: "application/merge-patch+json",
      strategic: "application/strategic-merge-patch+json",
      apply: "application/apply-patch+yaml",
    };
    return this.send("PATCH", path, { body, headers: { "content-type": types[type] } });
  }

  delete(path: string, options?: unknown): Promise<Answer> {
    return this.send("DELETE", path, options === undefined ? {} : { body: options });
  }

  send(method: string, path: string, { body, headers = {}, as = "admin" }: Asked = {}): Promise<Answer> {
    const bytes =
      body === undefined
        ? undefined
        : Buffer.isBuffer(body)
          ? body
          : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
    return new Promise((resolve, reject) => {
      const req = request(
        new URL(path, this.#cluster.url),
        { method, ...this.#tls(as), headers: this.#headers(bytes, headers) },
        (res) => {
          const chunks: Buffer[] = [];
          res.on("data", (chunk: Buffer) => chunks.push(chunk));
          res.on("error", reject);
          res.on("end", () => {
            const whole = Buffer.concat(chunks);
            const text = whole.toString();
            const isJson =
              /json/.test(String(res.headers["content-type"])) && !res.headers["content-encoding"];
            resolve({
              code: res.statusCode!,
              headers: res.headers,
              bytes: whole,
              text,
              json: isJson && text ? JSON.parse(text) : undefined,
            });
          });
        },
      );
      req.on("error", reject);
      req.end(bytes);
    });
  }

  /** A watch; `next` resolves with its next event. */
  watch(path: string, headers: Record<string, string> = {}): TestWatch {
    const watch = new TestWatch();
    const req = request(new URL(path, this.#cluster.url), { ...this.#tls("admin"), headers }, (res) =>
      watch.take(res),
    );
    req.on("error", () => watch.end());
    req.end();
    watch.onClose = () => req.destroy();
    return watch;
  }

  #headers(bytes: Buffer | undefined, headers: Record<string, string>): Record<string, string> {
    return {
      ...(bytes && { "content-type": "application/json", "content-length": String(bytes.length) }),
      ...headers,
    };
  }

  #tls(as: "admin" | "anonymous") {
    const { pki } = this.#cluster;
    const client = as === "admin" ? { cert: pki.admin.certificate, key: pki.admin.key } : {};
    return { ca: pki.ca.certificate, agent: false as const, ...client };
  }
}

export class TestWatch {
  readonly events: any[] = [];
  onClose: () => void = () => {};
  #rest = "";
  #waiting: (() => void) | undefined;
  #next = 0;
  isOver = false;

  take(stream: NodeJS.ReadableStream): void {
    stream.on("data", (chunk: Buffer) => {
      const lines = (this.#rest + chunk.toString()).split("\n");
      this.#rest = lines.pop()!;
      this.events.push(...lines.map((line) => JSON.parse(line)));
      this.#wake();
    });
    stream.on("end", () => this.end());
    stream.on("error", () => this.end());
  }

  /** The next event; undefined when the watch is over. */
  async next(): Promise<any> {
    while (this.#next === this.events.length && !this.isOver) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    return this.events[this.#next++];
  }

  end(): void {
    this.isOver = true;
    this.#wake();
  }

  close(): void {
    this.onClose();
  }

  #wake(): void {
    this.#waiting?.();
    this.#waiting = undefined;
  }
}

export const demoPod = (name: string, more: Record<string, unknown> = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, ...more },
  spec: { containers: [{ name: "app", image: "busybox" }] },
});

export const demoConfigMap = (name: string, data: Record<string, string> = { a: "1" }) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name },
  data,
});
