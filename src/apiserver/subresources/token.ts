import {
  badRequest,
  type FieldError,
  fieldInvalid,
  forbidden,
  formatTime,
  invalid,
  type KubeObject,
  notFound,
} from "../../machinery/index.ts";
import type { Call, Caller, Outcome, Serving } from "../context.ts";
import { admissionRequest, admitMutating, admitValidating, isDryRun } from "../verbs/admission.ts";
import { decodeOther } from "../verbs/decode.ts";
import { namedBy, type Subresource } from "./subresource.ts";

const tokenRequestType = { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" };

/** The shortest life of a token: below it, clients could not renew in time. */
const expirationSecondsMin = 600;
const expirationSecondsMax = 2 ** 32;
const expirationSecondsDefault = 3_600;

/** Tokens of a service account. Counterpart upstream: `pkg/registry/core/serviceaccount/storage.TokenREST`. */
export const token: Subresource = {
  name: "token",
  servedFor: namedBy("token"),
  type: tokenRequestType,
  verbs: { create: issueToken },
};

async function issueToken(serving: Serving, caller: Caller, call: Call): Promise<Outcome> {
  const request = decodeOther(serving, caller, call, tokenRequestType);
  const entry = await call.storage.get(call.storage.key(call.namespace, call.name!));
  if (!entry) throw notFound(call.storage.groupResource, call.name!);
  const account: KubeObject = entry.object;
  if (request.metadata.name && request.metadata.name !== call.name) {
    throw badRequest("metadata.name of the TokenRequest must be the name of the service account, or empty");
  }
  request.spec ??= {};
  request.spec.expirationSeconds ??= expirationSecondsDefault;
  requireValidSpec(call, request);
  const admission = admissionRequest(serving, call, caller, {
    operation: "CREATE",
    name: call.name!,
    object: request,
  });
  await admitMutating(serving, admission);
  await admitValidating(serving, admission);
  const audiences: string[] = request.spec.audiences?.length
    ? request.spec.audiences
    : [...serving.tokenIssuer.audiences];
  const bound = await boundObject(serving, call, request.spec.boundObjectRef, account);
  const issued = isDryRun(call)
    ? { token: "", expirationTimestamp: formatTime(serving.clock.now()) }
    : await serving.tokenIssuer.issue({
        namespace: call.namespace!,
        serviceAccount: { name: call.name!, uid: account.metadata.uid! },
        audiences,
        expirationSeconds: request.spec.expirationSeconds,
        ...(bound && { bound }),
      });
  const creationTimestamp = formatTime(serving.clock.now());
  return {
    is: "object",
    code: 201,
    object: {
      kind: tokenRequestType.kind,
      apiVersion: "authentication.k8s.io/v1",
      metadata: { name: call.name!, namespace: call.namespace!, creationTimestamp },
      spec: { ...request.spec, audiences },
      status: { token: issued.token, expirationTimestamp: issued.expirationTimestamp },
    },
  };
}

function requireValidSpec(call: Call, { spec }: KubeObject): void {
  const errors: FieldError[] = [];
  if (spec.expirationSeconds < expirationSecondsMin) {
    errors.push(
      fieldInvalid(
        "spec.expirationSeconds",
        spec.expirationSeconds,
        "may not specify a duration less than 10 minutes",
      ),
    );
  }
  if (spec.expirationSeconds > expirationSecondsMax) {
    errors.push(
      fieldInvalid(
        "spec.expirationSeconds",
        spec.expirationSeconds,
        "may not specify a duration larger than 2^32 seconds",
      ),
    );
  }
  if (errors.length > 0) throw invalid(tokenRequestType, call.name!, errors);
}

/** The object that the token shall die with: it must be there, and a pod must run as this account. */
async function boundObject(
  serving: Serving,
  call: Call,
  ref: { kind?: string; name?: string; uid?: string } | undefined,
  account: KubeObject,
) {
  if (!ref) return undefined;
  const { kind, name = "" } = ref;
  const resource =
    kind === "Pod" ? "pods" : kind === "Secret" ? "secrets" : kind === "Node" ? "nodes" : undefined;
  if (!resource)
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(call.name)} to kind ${JSON.stringify(kind)}`,
    );
  const storage = serving.resources.get("", "v1", resource);
  const entry = await storage.get(storage.key(call.namespace, name));
  if (!entry) throw notFound(storage.groupResource, name);
  const object: KubeObject = entry.object;
  if (ref.uid && ref.uid !== object.metadata.uid) {
    throw invalid({ group: "", kind: kind! }, name, [
      fieldInvalid(
        "spec.boundObjectRef.uid",
        ref.uid,
        `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      ),
    ]);
  }
  const accountName = object.spec?.serviceAccountName;
  if (kind === "Pod" && accountName !== account.metadata.name) {
    throw forbidden(
      { group: "", resource: "serviceaccounts" },
      call.name!,
      `cannot bind token for serviceaccount ${JSON.stringify(call.name)} to pod running with different serviceaccount name.`,
    );
  }
  const nodeName: string | undefined = object.spec?.nodeName;
  return {
    kind: kind as "Pod" | "Secret" | "Node",
    name,
    uid: object.metadata.uid!,
    ...(nodeName && { nodeName }),
  };
}
