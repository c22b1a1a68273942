import type { authenticationv1, corev1 } from "../../api/index.ts";
import type { Clock } from "../../base/index.ts";
import { serviceAccounts, type Transport } from "../../client/index.ts";
import { parseTime } from "../../machinery/index.ts";

/** A token is renewed once this part of its life has passed, or after a day. As `pkg/kubelet/token`. */
const renewAfterFraction = 0.8;
const renewAfterMsMax = 24 * 3_600_000;
const expirationSDefault = 3_600;

export interface BoundToken {
  text: string;
  expirationTimestamp: string;
}

interface Token extends BoundToken {
  renewAtMs: number;
}

export type TokenWish = Pick<corev1.ServiceAccountTokenProjection, "audience" | "expirationSeconds">;

/** Bound service account tokens of this node's pods, kept until they are due for renewal. */
export class TokenManager {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #tokens = new Map<string, Promise<Token>>();

  constructor(options: { transport: Transport; clock: Clock }) {
    this.#transport = options.transport;
    this.#clock = options.clock;
  }

  async token(pod: corev1.Pod, wish: TokenWish): Promise<string> {
    return (await this.boundToken(pod, wish)).text;
  }

  async boundToken(pod: corev1.Pod, wish: TokenWish): Promise<BoundToken> {
    const key = keyOf(pod, wish);
    const kept = await this.#tokens.get(key)?.catch(() => undefined);
    if (kept && kept.renewAtMs > this.#clock.now()) return kept;
    const request = this.#request(pod, wish);
    this.#tokens.set(key, request);
    try {
      return await request;
    } catch (error) {
      this.#tokens.delete(key);
      // An old one that still works is better than none.
      if (kept) return kept;
      throw error;
    }
  }

  /** When the first of a pod's tokens is to be renewed. */
  async renewAtMs(podUid: string): Promise<number | undefined> {
    const tokens = [...this.#tokens]
      .filter(([key]) => key.startsWith(`${podUid}/`))
      .map(([, token]) => token);
    const due = (await Promise.all(tokens)).map(({ renewAtMs }) => renewAtMs);
    return due.length > 0 ? Math.min(...due) : undefined;
  }

  forget(podUid: string): void {
    for (const key of this.#tokens.keys()) if (key.startsWith(`${podUid}/`)) this.#tokens.delete(key);
  }

  async #request(pod: corev1.Pod, { audience, expirationSeconds }: TokenWish): Promise<Token> {
    const { name, namespace, uid } = pod.metadata;
    const expirationS = expirationSeconds ?? expirationSDefault;
    const nowMs = this.#clock.now();
    const { object } = await this.#transport.request({
      verb: "create",
      resource: serviceAccounts,
      subresource: "token",
      namespace,
      name: pod.spec!.serviceAccountName || "default",
      body: {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        metadata: {},
        spec: {
          audiences: audience ? [audience] : [],
          expirationSeconds: expirationS,
          boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid },
        },
      },
    });
    const { token, expirationTimestamp } = (object as authenticationv1.TokenRequest).status!;
    const lifeMs = (parseTime(expirationTimestamp!) ?? nowMs + expirationS * 1_000) - nowMs;
    return {
      text: token!,
      expirationTimestamp: expirationTimestamp!,
      renewAtMs: nowMs + Math.min(lifeMs * renewAfterFraction, renewAfterMsMax),
    };
  }
}

const keyOf = (pod: corev1.Pod, { audience, expirationSeconds }: TokenWish) =>
  `${pod.metadata.uid}/${audience ?? ""}/${expirationSeconds ?? expirationSDefault}`;
