import { deployment } from "./apps/v1/deployment.ts";
import { replicaSet } from "./apps/v1/replica-set.ts";
import { lease } from "./coordination/v1/lease.ts";
import { configMap } from "./core/v1/config-map.ts";
import { event } from "./core/v1/event.ts";
import { namespace } from "./core/v1/namespace.ts";
import { node } from "./core/v1/node/kind.ts";
import { pod } from "./core/v1/pod/kind.ts";
import { secret } from "./core/v1/secret.ts";
import { serviceAccount } from "./core/v1/service-account.ts";
import type { Kind } from "./kind.ts";

/** The kinds the API server serves by itself. To add one: a file beside these, and a line here. */
export const builtinKinds: readonly Kind[] = [
  configMap,
  event,
  namespace,
  node,
  pod,
  secret,
  serviceAccount,
  deployment,
  replicaSet,
  lease,
];
